/** Pages of the log that pass a filter, read in both directions. What the log cannot filter is filtered here. */

import { admits, admitsNothing, logQuery } from "./filters.js";

export const PAGE_EVENTS = 200;
/** A text that is rare makes us look at much of the log; after so many pages the reader is asked to scroll on. */
const PAGES_OF_ONE_LOOK = 10;
const ENOUGH_EVENTS = 50;

/** @typedef {{entries: {event: object, cursor: string}[], older: ?string, newer: ?string}} Piece
 *   Oldest first. `older` and `newer` are where to read on in each direction; null: there is no more that way. */

export class LogPages {
  #api;

  constructor(api) {
    this.#api = api;
  }

  /** @returns {Promise<Piece>} the end of the log */
  async newest(filter, signal) {
    if (admitsNothing(filter)) return { entries: [], older: null, newer: null };
    const page = await this.#read({ limit: PAGE_EVENTS }, filter, signal);
    const found = { entries: matching(page, filter), older: backwards(page), newer: null };
    if (!found.older || found.entries.length >= ENOUGH_EVENTS) return found;
    const before = await this.before(found.older, filter, signal);
    return { entries: [...before.entries, ...found.entries], older: before.older, newer: null };
  }

  /** @returns {Promise<Piece>} what stands before `cursor` */
  async before(cursor, filter, signal) {
    let entries = [];
    let older = cursor;
    for (let pages = 0; older && entries.length < ENOUGH_EVENTS && pages < PAGES_OF_ONE_LOOK; pages += 1) {
      const page = await this.#read({ before: older, limit: PAGE_EVENTS }, filter, signal);
      entries = [...matching(page, filter), ...entries];
      older = backwards(page);
    }
    return { entries, older, newer: cursor };
  }

  /** @returns {Promise<Piece>} what stands after `cursor` */
  async after(cursor, filter, signal) {
    const entries = [];
    let newer = cursor;
    for (let pages = 0; newer && entries.length < ENOUGH_EVENTS && pages < PAGES_OF_ONE_LOOK; pages += 1) {
      const page = await this.#read({ since: newer, limit: PAGE_EVENTS }, filter, signal);
      entries.push(...matching(page, filter));
      newer = page.has_more ? page.cursor : null;
    }
    return { entries, older: cursor, newer };
  }

  /** @returns {Promise<Piece>} what happened around `moment`, an ISO time */
  async around(moment, filter, signal) {
    if (admitsNothing(filter)) return { entries: [], older: null, newer: null };
    const page = await this.#read({ at: moment, limit: PAGE_EVENTS }, filter, signal);
    return { entries: matching(page, filter), older: page.first_cursor, newer: page.cursor };
  }

  #read(position, filter, signal) {
    return this.#api.get("/events", { ...position, ...logQuery(filter) }, { signal });
  }
}

/** Where to read on, also when this page found nothing: a search goes on from where it was ended. */
function backwards(page) {
  return page.has_more ? page.first_cursor : null;
}

function matching(page, filter) {
  const epoch = epochOf(page.cursor);
  return page.events.filter(admits(filter)).map((event) => ({ event, cursor: `${epoch}-${event.seq}` }));
}

/** The part of a cursor that names the log. */
export function epochOf(cursor) {
  return cursor.slice(0, cursor.lastIndexOf("-"));
}
