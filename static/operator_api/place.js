/** Where the reader is in the log: an event, and how far below the upper edge it stands. */

import { part } from "./dom.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Entries } from "./entries.js"
 * @import { RowList } from "./row-list.js"
 *
 * @typedef {{ cursor: string, seq: number, key: string, px: number, marked: boolean }} Place
 */

/**
 * The marked row, if it is in sight, else that on top; null where there is no event.
 *
 * @param {Entries} entries
 * @param {RowList} rows
 * @returns {Place | null}
 */
export function placeOf(entries, rows) {
  const { index, px, marked } = rows.held;
  const below = entries.find(index, 1, () => true);
  const entry = entries.at(below < 0 ? entries.find(index, -1, () => true) : below);
  if (!entry?.event) return null;
  return { cursor: entry.cursor, seq: entry.event.seq, key: entry.key, px, marked };
}

/**
 * An event in the middle of the feed.
 *
 * @param {OperatorEvent} event
 * @param {string} cursor - the position after it
 * @returns {Place}
 */
export function middle(event, cursor) {
  return { cursor, seq: event.seq, key: event.event_id, px: part("#feed").clientHeight / 2, marked: true };
}

/**
 * Brings the event of a place to where it was, or else the next one.
 *
 * @param {Place} place
 * @param {Entries} entries
 * @param {RowList} rows
 */
export function goTo(place, entries, rows) {
  const found = entries.find(0, 1, ({ seq }) => seq >= place.seq);
  const index = found < 0 ? entries.length - 1 : found;
  rows.hold(index, place.px);
  if (place.marked && entries.at(index)?.key === place.key) rows.activate(index);
}

/**
 * The index of the first event at this time or after it; -1 when there is none.
 *
 * @param {Entries} entries
 * @param {string} iso
 */
export function indexAt(entries, iso) {
  // As texts, times of different precision do not compare: ".004Z" is greater than ".004123Z".
  const atMs = Date.parse(iso);
  return entries.find(0, 1, (event) => Date.parse(event.created_at) >= atMs);
}
