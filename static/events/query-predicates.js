/** What the parts of a query mean, as events/query/tree.py on the server has it: a function for each. */

import { orderOf, readDecimal } from "./query-decimals.js";
import { isNumber, isScalar, textOf } from "./query-view.js";

/**
 * @import { EventView, FieldName } from "./query-view.js"
 *
 * @typedef {(event: EventView) => boolean} Predicate
 * @typedef {{ text: string, prefix: boolean }} Wanted - a value, or the beginning of one
 */

/** From the least to the worst. */
export const SEVERITIES = ["info", "warn", "error", "critical"];
/**
 * Whether a comparison holds for an order: less than 0 if the event's value is the smaller, 0 if both are equal.
 *
 * @type {Record<string, (order: number) => boolean>}
 */
export const COMPARISONS = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/**
 * Words in this order, one behind the other in one text; of the last, only the beginning if `prefix`.
 *
 * @param {string[]} words
 * @param {boolean} prefix
 * @returns {Predicate}
 */
export function phrase(words, prefix) {
  const wanted = ` ${words.join(" ")}${prefix ? "" : " "}`;
  return (event) => event.words.includes(wanted);
}

/**
 * A field with one of these values. Exact, case included.
 *
 * @param {FieldName} name
 * @param {Wanted[]} values
 * @returns {Predicate}
 */
export function field(name, values) {
  const fits = isOneOf(values);
  return (event) => fits(event.field(name));
}

/**
 * @param {Set<string>} allowed
 * @returns {Predicate}
 */
export function severity(allowed) {
  return (event) => allowed.has(event.field("severity"));
}

/**
 * Something at this path; where a list is on the way, in any of its elements.
 *
 * @param {string[]} path
 * @returns {Predicate}
 */
export function present(path) {
  return (event) => event.at(path).length > 0;
}

/**
 * A scalar at this path that is one of these as a text, or the same number.
 *
 * @param {string[]} path
 * @param {Wanted[]} values
 * @returns {Predicate}
 */
export function equal(path, values) {
  const fits = isOneOf(values);
  const numbers = values.flatMap(({ text, prefix }) => (prefix ? [] : readDecimal(text) ?? []));
  return (event) =>
    event.at(path).some((found) =>
      isScalar(found) && (fits(textOf(found)) || numbers.some((number) => order(found, number) === 0))
    );
}

/**
 * A number at this path. Numbers are compared as decimals, as they were written; texts are no numbers.
 *
 * @param {string[]} path
 * @param {string} comparison - one of COMPARISONS
 * @param {import("./query-decimals.js").Decimal} number
 * @returns {Predicate}
 */
export function compared(path, comparison, number) {
  const fits = COMPARISONS[comparison];
  return (event) => event.at(path).some((found) => fits(order(found, number)));
}

/**
 * @param {Predicate} part
 * @returns {Predicate}
 */
export function not(part) {
  return (event) => !part(event);
}

/**
 * @param {Predicate[]} parts
 * @returns {Predicate}
 */
export function all(parts) {
  return parts.length === 1 ? parts[0] : (event) => parts.every((part) => part(event));
}

/**
 * @param {Predicate[]} parts
 * @returns {Predicate}
 */
export function any(parts) {
  return parts.length === 1 ? parts[0] : (event) => parts.some((part) => part(event));
}

/** @param {Wanted[]} values */
function isOneOf(values) {
  const exact = new Set(values.filter(({ prefix }) => !prefix).map(({ text }) => text));
  const prefixes = values.filter(({ prefix }) => prefix).map(({ text }) => text);
  return (/** @type {string} */ text) => exact.has(text) || prefixes.some((prefix) => text.startsWith(prefix));
}

/**
 * Of what was found to a number; NaN, for which no comparison holds, where it is none.
 *
 * @param {unknown} found
 * @param {import("./query-decimals.js").Decimal} number
 */
function order(found, number) {
  const decimal = isNumber(found) ? readDecimal(textOf(found)) : null;
  return decimal ? orderOf(decimal, number) : NaN;
}
