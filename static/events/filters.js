/** Filters as the server knows them: as the query of a request, and as a question about one event. */

/** @import { Filters, OperatorEvent } from "./event-client.d.ts" */

/** @type {(keyof Filters)[]} */
const FIELDS = ["severity", "module", "event_type", "correlation_id"];
/**
 * The server reads one as the other.
 *
 * @type {Record<string, string>}
 */
const SEVERITY_ALIASES = { warning: "warn" };

/**
 * Pairs for a query.
 *
 * @param {Filters} filters
 */
export function queryOf(filters) {
  return Object.entries(filters).flatMap(([name, values]) => listOf(values).map((value) => [name, value]));
}

/**
 * A function that answers whether an event passes. As on the server: a value may be a comma list; none: all pass.
 *
 * @param {Filters} filters
 * @returns {(event: OperatorEvent) => boolean}
 */
export function questionOf(filters) {
  const all = FIELDS.map((field) => ({ field, values: valuesOf(field, filters[field]) }));
  const wanted = all.filter(({ values }) => values.size > 0);
  return (event) => wanted.every(({ field, values }) => values.has(event[field]));
}

/** @param {string | string[] | undefined} given */
function listOf(given) {
  return [given ?? []].flat();
}

/**
 * @param {keyof Filters} field
 * @param {string | string[] | undefined} given
 */
function valuesOf(field, given) {
  const values = listOf(given).flatMap((value) => value.split(",").map((item) => item.trim()));
  const read = (/** @type {string} */ value) => SEVERITY_ALIASES[value.toLowerCase()] ?? value.toLowerCase();
  return new Set(values.filter(Boolean).map((value) => (field === "severity" ? read(value) : value)));
}
