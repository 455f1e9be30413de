/** Pages of the log that pass a filter, read in both directions. Each is one answer of the server, which may be short. */

import { split } from "../events/cursors.js";
import { isActive, logQuery } from "./filter.js";

/**
 * @import { EventPage } from "./answers.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Filter } from "./filter.js"
 */

export const PAGE_EVENTS = 200;

/**
 * @typedef {{ entries: PlacedEvent[], older: string | null, newer: string | null, backTo?: string | null }} Piece
 *   Oldest first. `older` and `newer` are where to read on in each direction; null: there is no more that way.
 *   `backTo`: the time back to which the log was searched, where the answer says it.
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
    const page = await this.#read({}, filter, signal);
    return { entries: placed(page), older: backwards(page), newer: null, backTo: backTo(page) };
  }

  /**
   * @param {string} cursor
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what stands before `cursor`
   */
  async before(cursor, filter, signal) {
    const page = await this.#read({ before: cursor }, filter, signal);
    return { entries: placed(page), older: backwards(page), newer: cursor, backTo: backTo(page) };
  }

  /**
   * @param {string} cursor
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what stands after `cursor`
   */
  async after(cursor, filter, signal) {
    const page = await this.#read({ since: cursor }, filter, signal);
    return { entries: placed(page), older: cursor, newer: page.has_more ? page.cursor : null };
  }

  /**
   * @param {string} moment - an ISO time
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} what happened around `moment`
   */
  async around(moment, filter, signal) {
    const page = await this.#read({ at: moment }, filter, signal);
    return { entries: placed(page), older: page.first_cursor, newer: page.cursor, backTo: backTo(page) };
  }

  /**
   * @param {string} cursor - the position after an event
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<Piece>} that event, if it passes, with what stands before and after it
   */
  async beside(cursor, filter, signal) {
    if (!isActive(filter)) {
      const page = await this.#api.get(`/events/${cursor}/around`, { limit: PAGE_EVENTS }, { signal });
      return { entries: placed(page), older: page.first_cursor, newer: page.cursor };
    }
    const { epoch, seq } = split(cursor);
    const [before, after] = await Promise.all([
      this.before(cursor, filter, signal),
      this.after(`${epoch}-${seq - 1}`, filter, signal),
    ]);
    return { ...before, entries: [...before.entries, ...after.entries], newer: after.newer };
  }

  /**
   * @param {Record<string, string>} position
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<EventPage>}
   */
  #read(position, filter, signal) {
    return this.#api.get("/events", { ...position, limit: PAGE_EVENTS, ...logQuery(filter) }, { signal });
  }
}

/**
 * Where to read on, also when this page found nothing: a search goes on from where it was ended. The beginning was
 * reached by what is complete and has no more.
 *
 * @param {EventPage} page
 */
function backwards(page) {
  return page.has_more || page.complete === false ? page.first_cursor : null;
}

/** @param {EventPage} page */
function backTo(page) {
  return page.searched_from?.time ?? page.events[0]?.created_at ?? null;
}

/**
 * @param {EventPage} page
 * @returns {PlacedEvent[]}
 */
function placed(page) {
  const { epoch } = split(page.cursor);
  return page.events.map((event) => ({ event, cursor: `${epoch}-${event.seq}` }));
}
