/** Reads of the log for the feed: one at a time, and again after a while when the log could not be read. */

import { ApiError } from "./requests.js";

/** @import { Piece } from "./log-pages.js" */

/** A log that cannot be read is read again at this pace, or later if the server asks for it; not by all at once. */
const RETRY_MS = 3_000;
const RETRY_SPREAD = 0.25;

export class Reading {
  /** @type {AbortController | null} */
  #now = null;
  #changed;
  /** @type {number | undefined} */
  #timer;
  /**
   * Why the last read failed; null after one that did not.
   *
   * @type {ApiError | null}
   */
  failure = null;

  /** @param {() => void} changed - called when a read begins, and when one has ended */
  constructor(changed) {
    this.#changed = changed;
  }

  get busy() {
    return this.#now !== null;
  }

  /**
   * A new one ends the one under way.
   *
   * @param {(signal: AbortSignal) => Promise<Piece>} ask
   * @param {(piece: Piece) => void} take - not called for a read that was ended
   */
  async run(ask, take) {
    this.stop();
    const reading = (this.#now = new AbortController());
    this.#changed();
    try {
      const piece = await ask(reading.signal);
      if (reading.signal.aborted) return;
      this.failure = null;
      take(piece);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading.signal.aborted) return;
      this.failure = error;
    } finally {
      if (this.#now === reading) {
        this.#now = null;
        this.#changed();
      }
    }
  }

  stop() {
    clearTimeout(this.#timer);
    this.#now?.abort();
    this.#now = null;
  }

  /**
   * Calls `read` at once, or later if the last read failed; never where asking again would not help.
   *
   * @param {() => void} read
   */
  again(read) {
    clearTimeout(this.#timer);
    const { failure } = this;
    // A reader without the right to read sees the refusal once, and a mistake does not go away.
    if (failure && [401, 403, 422].includes(failure.status)) return;
    const waitMs = failure ? Math.max(RETRY_MS, failure.retryAfterMs) : 0;
    this.#timer = setTimeout(read, waitMs * (1 + RETRY_SPREAD * Math.random()));
  }
}
