/** Paths into the payloads that the page has, and values at them: what a query can ask for, without asking the log. */

import { EventView, isScalar, textOf } from "../events/query-view.js";
import { keysOf, payloadPath } from "./query-text.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** The newest events are looked through each time that a reader asks: a few milliseconds for so many. */
export const EVENTS_LOOKED_AT = 300;
const PATHS_LIMIT = 200;
const MEMBERS_LIMIT = 100;
const DEPTH_LIMIT = 8;
/** A longer one is no value to choose from a list. */
const VALUE_LIMIT = 60;

/**
 * Paths to what is no object, the most frequent first.
 *
 * @param {OperatorEvent[]} events
 */
export function pathsOf(events) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { payload } of events) {
    for (const path of new Set(pathsIn(payload, [], DEPTH_LIMIT))) counts.set(path, (counts.get(path) ?? 0) + 1);
    if (counts.size > PATHS_LIMIT) break;
  }
  return [...counts].sort(([, one], [, other]) => other - one).map(([path]) => path);
}

/**
 * @param {OperatorEvent[]} events
 * @param {string} path
 * @returns {[value: string, count: number][]} the most frequent first
 */
export function valuesAt(events, path) {
  const keys = keysOf(path);
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const event of events) {
    for (const value of new EventView(event).at(keys).slice(0, MEMBERS_LIMIT)) {
      const words = isScalar(value) ? textOf(value) : "";
      if (words && words.length <= VALUE_LIMIT) counts.set(words, (counts.get(words) ?? 0) + 1);
    }
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

/**
 * @param {unknown} value
 * @param {string[]} keys - that lead to it; places in lists are none
 * @param {number} depth - so many keys more
 * @returns {string[]}
 */
function pathsIn(value, keys, depth) {
  if (isScalar(value)) return keys.length ? [payloadPath(keys)] : [];
  if (!depth) return [];
  const members = Object.entries(/** @type {object} */ (value)).slice(0, MEMBERS_LIMIT);
  return members.flatMap(([key, member]) => pathsIn(member, Array.isArray(value) ? keys : [...keys, key], depth - 1));
}
