/** Pages of the log that pass a filter, read in both directions. What the log cannot filter is filtered here. */

import { admits, admitsNothing, logQuery } from "./filter-form.js";

/**
 * @import { EventPage } from "./answers.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Filter } from "./filter-form.js"
 */

export const PAGE_EVENTS = 200;
/** To find a rare text, much of the log is read; after so many pages it goes on only when the reader scrolls on. */
const PAGES_OF_ONE_LOOK = 10;
const ENOUGH_EVENTS = 50;

/**
 * @typedef {{ entries: PlacedEvent[], older: string | null, newer: string | null }} Piece
 *   Oldest first. `older` and `newer` are where to read on in each direction; null: there is no more that way.
 */

export class LogPages {
  #api;

  /** @param {Pick<import("./requests.js").ConsoleApi, "get">} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} the end of the log
   */
  async newest(filter, signal) {
    if (admitsNothing(filter)) return { entries: [], older: null, newer: null };
    const page = await this.#read({ limit: PAGE_EVENTS }, filter, signal);
    const found = { entries: matching(page, filter), older: backwards(page), newer: null };
    if (!found.older || found.entries.length >= ENOUGH_EVENTS) return found;
    const before = await this.before(found.older, filter, signal);
    return { entries: [...before.entries, ...found.entries], older: before.older, newer: null };
  }

  /**
   * @param {string} cursor
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what stands before `cursor`
   */
  async before(cursor, filter, signal) {
    /** @type {PlacedEvent[]} */
    let entries = [];
    /** @type {string | null} */
    let older = cursor;
    for (let pages = 0; older && entries.length < ENOUGH_EVENTS && pages < PAGES_OF_ONE_LOOK; pages += 1) {
      const page = await this.#read({ before: older, limit: PAGE_EVENTS }, filter, signal);
      entries = [...matching(page, filter), ...entries];
      older = backwards(page);
    }
    return { entries, older, newer: cursor };
  }

  /**
   * @param {string} cursor
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what stands after `cursor`
   */
  async after(cursor, filter, signal) {
    const entries = [];
    /** @type {string | null} */
    let newer = cursor;
    for (let pages = 0; newer && entries.length < ENOUGH_EVENTS && pages < PAGES_OF_ONE_LOOK; pages += 1) {
      const page = await this.#read({ since: newer, limit: PAGE_EVENTS }, filter, signal);
      entries.push(...matching(page, filter));
      newer = page.has_more ? page.cursor : null;
    }
    return { entries, older: cursor, newer };
  }

  /**
   * @param {string} moment - an ISO time
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what happened around `moment`
   */
  async around(moment, filter, signal) {
    if (admitsNothing(filter)) return { entries: [], older: null, newer: null };
    const page = await this.#read({ at: moment, limit: PAGE_EVENTS }, filter, signal);
    return { entries: matching(page, filter), older: page.first_cursor, newer: page.cursor };
  }

  /**
   * @param {Record<string, string | number>} position
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<EventPage>}
   */
  #read(position, filter, signal) {
    return this.#api.get("/events", { ...position, ...logQuery(filter) }, { signal });
  }
}

/**
 * Where to read on, also when this page found nothing: a search goes on from where it was ended.
 *
 * @param {EventPage} page
 */
function backwards(page) {
  return page.has_more ? page.first_cursor : null;
}

/**
 * @param {EventPage} page
 * @param {Filter} filter
 */
function matching(page, filter) {
  const epoch = epochOf(page.cursor);
  return page.events.filter(admits(filter)).map((event) => ({ event, cursor: `${epoch}-${event.seq}` }));
}

/**
 * The part of a cursor that names the log.
 *
 * @param {string} cursor
 */
export function epochOf(cursor) {
  return cursor.slice(0, cursor.lastIndexOf("-"));
}
