/** What stands around the rows of the feed: counts, the reason why it is empty, and its buttons. */

import { part, slot } from "./dom.js";
import { text } from "./texts.js";
import { minuteTime, number } from "./times.js";

/** They may all be in sight at once. */
export const FEW_ROWS = 60;

/**
 * @import { Loaded } from "./loaded.js"
 *
 * @typedef {object} Circumstances - what is not in the piece of the log itself
 * @property {number} unread
 * @property {boolean} reading
 * @property {boolean} failed - the last read brought nothing
 * @property {boolean} filtered
 * @property {boolean} following
 *
 * @typedef {ReturnType<typeof ofLog> & Circumstances} FeedState
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

  /**
   * @param {Loaded} log
   * @param {Circumstances} circumstances
   */
  show(log, circumstances) {
    const state = { ...ofLog(log), ...circumstances };
    const { rows, stale, failed, hasOlder, unread, reading, searching, following } = state;
    slot("count").textContent = countOf(state);
    // Rows of before may not pass what is asked for now, or may not be the newest.
    this.#frame.classList.toggle("stale", stale || (failed && following && !log.attached));
    const reason = rows > 0 ? "" : emptyReason(state);
    // Where nothing has ever happened, there is more to say.
    slot("start").hidden = reason !== NOTHING;
    slot("empty").hidden = rows > 0 || reason === NOTHING;
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

/** The log was read from its beginning and holds no event. */
const NOTHING = "nothing";

/** @param {FeedState} state */
function countOf({ rows, events, stale, known, hasOlder, hasNewer, reading, failed }) {
  // Figures of before would be taken for those of now.
  if (stale || !known) return reading && !failed && rows ? text("empty.reading") : "";
  const all = events === 1 ? "count.one" : "count.all";
  return text(hasOlder || hasNewer ? "count.more" : all, { n: number(events) });
}

/**
 * That there is nothing is only said of a log that was searched back to its beginning.
 *
 * @param {FeedState} state
 */
function emptyReason({ hasOlder, hasNewer, reading, searching, backTo, failed, filtered, known, stale }) {
  if (failed) return text("empty.failed");
  if (reading || searching || hasNewer) return text("empty.reading");
  if (!known || stale) return text("empty.unread");
  if (hasOlder) return text("empty.so_far", { time: backTo ? minuteTime(backTo) : "?" });
  return filtered ? text("empty.filtered") : NOTHING;
}

/** @param {Loaded} log */
function ofLog({ entries, older, newer, attached, missing, backTo, stale, known }) {
  return {
    /** Rows are those of a question before. */
    stale: stale && entries.length > 0,
    known,
    rows: entries.length,
    events: entries.eventCount,
    /** There is more of the log before these, and after them. */
    hasOlder: older !== null,
    hasNewer: !attached && newer !== null,
    /** It goes on further back by itself, and is there by now. */
    searching: missing > 0 && (older !== null || (newer !== null && !entries.length)),
    backTo,
  };
}
