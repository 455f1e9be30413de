/** Whether the leader is still there, as seen by a tab that follows. */

const TICK_MS = 2_000;
/** So many questions in a row without an answer. One would not do: a tab that slept has not read its answers yet. */
const UNANSWERED_LIMIT = 2;

export class Presence {
  #ask;
  #missing;
  /** @type {number | undefined} */
  #timer;
  #received = false;
  #unanswered = 0;

  /**
   * @param {() => void} ask - called when the leader has been quiet
   * @param {() => void} missing - called when it does not answer
   */
  constructor(ask, missing) {
    this.#ask = ask;
    this.#missing = missing;
  }

  start() {
    this.#unanswered = 0;
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  noteMessage() {
    this.#received = true;
    this.#unanswered = 0;
  }

  #tick() {
    const quiet = !this.#received;
    this.#received = false;
    if (!quiet) return;
    if (this.#unanswered < UNANSWERED_LIMIT) {
      this.#unanswered += 1;
      this.#ask();
    } else {
      this.#unanswered = 0;
      this.#missing();
    }
  }
}
