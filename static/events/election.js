/**
 * Which tab is to lead. Both kinds of election do the same; they call `onwin` when this tab is to lead, and `onlose`
 * when another tab took its place.
 *
 * Locks are exact and are free at once when a tab is gone, but pages without TLS have none. Without them two tabs may
 * lead for a moment; the one that receives the message of a better leader then steps down.
 */

/** @import { Election } from "./event-client-parts.d.ts" */

/** Time for a leader to answer; the random part, so that tabs opened together do not all stand. */
const STAND_MS = 200;
const STAND_JITTER_MS = 100;

/**
 * @param {string} name
 * @param {() => void} onwin
 * @param {() => void} onlose
 * @returns {Election}
 */
export function election(name, onwin, onlose) {
  return navigator.locks ? new LockElection(name, onwin, onlose) : new ChannelElection(onwin);
}

/** @implements {Election} */
class LockElection {
  /**
   * Takes over where a browser has locks and refuses them, as some do with storage that is blocked.
   *
   * @type {ChannelElection | null}
   */
  #spare = null;
  #name;
  #onwin;
  #onlose;
  /** @type {AbortController | null} */
  #waiting = null;
  /** @type {(() => void) | null} */
  #release = null;
  #round = 0;

  /**
   * @param {string} name
   * @param {() => void} onwin
   * @param {() => void} onlose
   */
  constructor(name, onwin, onlose) {
    this.#name = name;
    this.#onwin = onwin;
    this.#onlose = onlose;
  }

  stand() {
    if (this.#spare) return this.#spare.stand();
    if (this.#waiting || this.#release) return;
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  /** The others wait for the lock, so a message of the leader changes nothing. */
  noteLeader() {
    this.#spare?.noteLeader();
  }

  force() {
    if (this.#spare) return this.#spare.force();
    this.withdraw();
    this.#request({ steal: true });
  }

  withdraw() {
    this.#spare?.withdraw();
    this.#round += 1;
    this.#waiting?.abort();
    this.#release?.();
    this.#waiting = this.#release = null;
  }

  /** @param {LockOptions} options */
  async #request(options) {
    const round = ++this.#round;
    let held = false;
    const hold = () => {
      if (round !== this.#round) return null;
      held = true;
      /** @type {Promise<void>} */
      const released = new Promise((resolve) => {
        this.#waiting = null;
        this.#release = resolve;
        this.#onwin();
      });
      return released;
    };
    try {
      await navigator.locks.request(this.#name, options, hold);
    } catch {
      // Withdrawn while waiting, or the lock was stolen.
      if (round !== this.#round) return;
      this.#waiting = this.#release = null;
      if (held) return this.#onlose();
      this.#spare = new ChannelElection(this.#onwin);
      this.#spare.stand();
    }
  }
}

/** @implements {Election} */
class ChannelElection {
  #onwin;
  /** @type {number | null} */
  #timer = null;

  /** @param {() => void} onwin */
  constructor(onwin) {
    this.#onwin = onwin;
  }

  stand() {
    this.#timer ??= setTimeout(() => this.#win(), STAND_MS + Math.random() * STAND_JITTER_MS);
  }

  noteLeader() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  force() {
    this.stand();
  }

  withdraw() {
    this.noteLeader();
  }

  #win() {
    this.#timer = null;
    this.#onwin();
  }
}
