/** What to ask for to see the events of a firing: the query of its watch, its group, and their time. */

import { choose } from "../query-text.js";

/** @import { Firing } from "../answers.d.ts" */

/** Where a watch fired because no event came, or its events are pruned, what was before. */
const BEFORE_MS = 15 * 60_000;
const SECOND_MS = 1_000;
/** Groups beyond those that are told apart (watches.conditions). */
const OTHER_GROUPS = "(other)";

/** @param {Firing} firing */
export function rangeOf({ query, group_by: field, group, first_at: first, last_at: last, fired_at: fired, resolved_at: resolved }) {
  const from = first ? Date.parse(first) : Date.parse(fired) - BEFORE_MS;
  const to = Math.max(...[last, resolved, fired].map((time) => (time ? Date.parse(time) : 0)));
  // Whole seconds, as the fields of the page have them; the events are inside.
  const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();
  return {
    q: field && group && group !== OTHER_GROUPS ? choose(query, field, group, "include", true) : query,
    from: iso(Math.floor(from / SECOND_MS) * SECOND_MS),
    to: iso(Math.floor(to / SECOND_MS + 1) * SECOND_MS),
  };
}
