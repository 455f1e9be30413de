/** What stands around the rows of the feed: counts, the reason why it is empty, and its buttons. */

import { part, slot } from "./dom.js";
import { text } from "./texts.js";
import { minuteTime, number } from "./times.js";

/** They may all be in sight at once. */
export const FEW_ROWS = 60;

/**
 * @typedef {object} FeedState
 * @property {number} rows
 * @property {number} events
 * @property {boolean} hasOlder - there is more of the log before these
 * @property {boolean} hasNewer - there is more of the log after these
 * @property {number} unread
 * @property {boolean} reading
 * @property {boolean} searching - it goes on further back by itself
 * @property {string | null} backTo - the time back to which was searched
 * @property {boolean} failed - the last read brought nothing
 * @property {boolean} filtered
 * @property {boolean} following
 */

export class FeedControls {
  #frame = part("#feed");
  #newest = part("[data-action=newest]");
  #pause = part("[data-action=pause]");
  #older = part("[data-action=older]");
  #stop = part("[data-action=stop-search]");
  #progress = slot("search-progress");

  /** @param {{ newest: () => void, pause: () => void, older: () => void, stop: () => void }} actions */
  constructor({ newest, pause, older, stop }) {
    this.#newest.addEventListener("click", newest);
    this.#pause.addEventListener("click", pause);
    this.#older.addEventListener("click", older);
    this.#stop.addEventListener("click", stop);
  }

  /** @param {FeedState} state */
  show(state) {
    const { rows, events, hasOlder, hasNewer, unread, reading, searching, following } = state;
    const all = events === 1 ? "count.one" : "count.all";
    slot("count").textContent = text(hasOlder || hasNewer ? "count.more" : all, { n: number(events) });
    slot("empty").hidden = rows > 0;
    const reason = rows > 0 ? "" : emptyReason(state);
    if (slot("empty").textContent !== reason) slot("empty").textContent = reason;
    // A list too short to be scrolled, because the search was stopped, has a button to go on with it.
    this.#hide(this.#older, searching || reading || !hasOlder || rows >= FEW_ROWS);
    this.#hide(this.#stop, !searching);
    this.#describeSearch(state);
    const key = ["unread.none", "unread.one"][unread] ?? "unread.many";
    slot("unread").textContent = text(key, { n: number(unread) });
    this.#hide(this.#newest, following);
    this.#pause.ariaPressed = String(!following);
    this.#frame.ariaBusy = String(reading || searching);
  }

  /** @param {FeedState} state */
  #describeSearch({ rows, hasOlder, searching, backTo }) {
    const shown = hasOlder && (searching || rows < FEW_ROWS);
    this.#progress.hidden = !shown;
    const time = backTo && minuteTime(backTo);
    slot("searched").textContent = shown && time ? text("search.back_to", { time }) : text("empty.reading");
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

/**
 * That there is nothing is only said of a log that was searched back to its beginning.
 *
 * @param {FeedState} state
 */
function emptyReason({ hasOlder, hasNewer, reading, searching, backTo, failed, filtered }) {
  if (failed) return text("empty.failed");
  if (reading || searching || hasNewer) return text("empty.reading");
  if (hasOlder) return text("empty.so_far", { time: backTo ? minuteTime(backTo) : "?" });
  return text(filtered ? "empty.filtered" : "empty.none");
}
