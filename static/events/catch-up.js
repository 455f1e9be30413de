/** What a tab reads for itself: history, and what lies between its position and the ranges that it is given. */

import { causeOf, POLL_LIMIT, reachedBy } from "./connection.js";
import { split } from "./cursors.js";
import { ATTEMPT_FLOOR_MS, Interruption, sleep, sleepUnlessWoken, waitMs } from "./retry.js";

/** @import { Cause, EventPage, LogReset, Range } from "./event-client-parts.d.ts" */

/** Ranges kept while the tab reads, and the letters of their JSON; beyond that the oldest go, and are read again. */
const WAITING_LIMIT = 5_000;
const WAITING_LIMIT_CHARACTERS = 16 * 1024 * 1024;

export class CatchUp {
  #api;
  #history;
  #reader;
  #onreset;
  #onfinal;
  /** @type {{ range: Range, characters: number }[]} */
  #waiting = [];
  #waitingCharacters = 0;
  /** @type {AbortController | null} */
  #reading = null;

  /**
   * @param {object} parts
   * @param {Pick<import("./api.js").Api, "events">} parts.api
   * @param {number} parts.history - so many of the newest events are read where the reader has no position
   * @param {import("./reader.js").Reader} parts.reader
   * @param {(reset: LogReset) => void} parts.onreset - moves the reader, too
   * @param {(cause: Cause) => void} parts.onfinal - the server refuses this tab
   */
  constructor({ api, history, reader, onreset, onfinal }) {
    this.#api = api;
    this.#history = history;
    this.#reader = reader;
    this.#onreset = onreset;
    this.#onfinal = onfinal;
  }

  /** Begins to read when there is history to be read, and else waits for the first range. */
  start() {
    if (this.#history && this.#reader.cursor === null && !this.#reading) this.#read();
  }

  stop() {
    this.#reading?.abort();
    this.#reading = null;
    this.#waiting = [];
    this.#waitingCharacters = 0;
  }

  /** @param {Range} range */
  take(range) {
    if (!this.#reading && this.#reader.take(range)) return;
    const characters = JSON.stringify(range.events).length;
    this.#waiting.push({ range, characters });
    this.#waitingCharacters += characters;
    while (this.#waiting.length > WAITING_LIMIT || this.#waitingCharacters > WAITING_LIMIT_CHARACTERS) this.#forget();
    if (!this.#reading) this.#read();
  }

  #forget() {
    this.#waitingCharacters -= this.#waiting.shift()?.characters ?? 0;
  }

  async #read() {
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const hasMore = await this.#readPage(signal);
        failures = 0;
        if (signal.aborted || hasMore) continue;
        if (this.#drain()) break;
        await sleep(ATTEMPT_FLOOR_MS, signal);
      } catch (interruption) {
        if (signal.aborted) return;
        if (!(interruption instanceof Interruption)) throw interruption;
        if (interruption.final) return this.#onfinal(causeOf(interruption));
        failures += 1;
        await sleepUnlessWoken(waitMs(failures, interruption.floorMs), interruption.floorMs, signal);
      }
    }
    if (!signal.aborted) this.#reading = null;
  }

  /**
   * Whether there is more to read.
   *
   * @param {AbortSignal} signal
   */
  async #readPage(signal) {
    const since = this.#reader.cursor;
    const query = since === null ? { limit: this.#history } : { since, limit: POLL_LIMIT };
    const { status, body } = await this.#api.events(signal, query);
    // A reset that came meanwhile has moved the reader: ask again.
    if (signal.aborted || this.#reader.cursor !== since) return true;
    if (status === 410) {
      this.#onreset({ reason: body.reset, oldest: body.oldest, newest: body.newest });
      return true;
    }
    if (since === null) return this.#begin(body);
    this.#reader.take({ after: since, upto: reachedBy(body), events: body.events });
    return body.has_more;
  }

  /**
   * The newest page is whole, whatever there is before it.
   *
   * @param {EventPage} page
   */
  #begin({ events, cursor }) {
    this.#reader.take({ after: null, upto: cursor, events });
    return false;
  }

  /** Takes what has waited, now that the end of the log was reached; false when there is still something missing. */
  #drain() {
    while (this.#waiting.length) {
      const [{ range }] = this.#waiting;
      // The server has just answered from the reader's log, so another one is that of a tab that has slept.
      const foreign = split(range.upto).epoch !== split(this.#reader.cursor).epoch;
      if (!foreign && !this.#reader.take(range)) return false;
      this.#forget();
    }
    return true;
  }
}
