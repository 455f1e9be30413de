/** Reading again and again, a while apart; not in step with other pages, and not while the page is hidden. */

/** The random part of a pause. Pages that received the same event would otherwise ask together for ever. */
const SPREAD = 0.25;

export class Pace {
  #everyMs;
  #read;
  /** @type {number | undefined} */
  #timer;
  #running = false;
  #due = false;

  /**
   * @param {number} everyMs
   * @param {() => void} read - calls `next()` when it is done
   */
  constructor(everyMs, read) {
    this.#everyMs = everyMs;
    this.#read = read;
    document.addEventListener("visibilitychange", () => this.#due && this.soon());
  }

  /** Reads now, or once the page is visible. */
  soon() {
    clearTimeout(this.#timer);
    this.#due = document.hidden;
    if (!this.#due) this.#read();
  }

  start() {
    this.#running = true;
    this.soon();
  }

  /** Until start(). What is under way ends, and is the last. */
  stop() {
    [this.#running, this.#due] = [false, false];
    clearTimeout(this.#timer);
  }

  next() {
    clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.soon(), this.#everyMs * (1 + SPREAD * Math.random()));
  }
}
