/** What stands around the rows of the feed: counts, the reason why it is empty, and its buttons. */

import { part, slot } from "./dom.js";
import { text } from "./texts.js";
import { number } from "./times.js";

/** They may all be in sight at once. */
const FEW_ROWS = 60;

/**
 * @typedef {object} FeedState
 * @property {number} rows
 * @property {number} events
 * @property {boolean} hasOlder - there is more of the log before these
 * @property {boolean} hasNewer - there is more of the log after these
 * @property {number} unread
 * @property {boolean} reading
 * @property {boolean} filtered
 * @property {boolean} following
 */

export class FeedControls {
  #frame = part("#feed");
  #newest = part("[data-action=newest]");
  #pause = part("[data-action=pause]");
  #older = part("[data-action=older]");

  /** @param {{ newest: () => void, pause: () => void, older: () => void }} actions */
  constructor({ newest, pause, older }) {
    this.#newest.addEventListener("click", newest);
    this.#pause.addEventListener("click", pause);
    this.#older.addEventListener("click", older);
  }

  /** @param {FeedState} state */
  show({ rows, events, hasOlder, hasNewer, unread, reading, filtered, following }) {
    const all = events === 1 ? "count.one" : "count.all";
    slot("count").textContent = text(hasOlder || hasNewer ? "count.more" : all, { n: number(events) });
    slot("empty").hidden = rows > 0;
    slot("empty").textContent = text(reading ? "empty.reading" : filtered ? "empty.filtered" : "empty.none");
    // A list too short to be scrolled, because few events match, has a button to ask for more.
    this.#hide(this.#older, reading || !hasOlder || rows >= FEW_ROWS);
    const key = ["unread.none", "unread.one"][unread] ?? "unread.many";
    slot("unread").textContent = text(key, { n: number(unread) });
    this.#hide(this.#newest, following);
    this.#pause.ariaPressed = String(!following);
    this.#frame.ariaBusy = String(reading);
  }

  /**
   * Shows or hides a button. One that has the focus gives it to the feed before it is hidden.
   *
   * @param {HTMLElement} button
   * @param {boolean} hidden
   */
  #hide(button, hidden) {
    if (hidden && document.activeElement === button) this.#frame.focus({ preventScroll: true });
    button.hidden = hidden;
  }
}
