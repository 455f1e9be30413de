/** What the reader asks for, a query and a range of time: in the page's address, for the API, as a question to an event. */

import { parse } from "../events/query.js";
import { addressParameters, changeAddress } from "./address.js";
import { quoted } from "./query-text.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** @type {OperatorEvent["severity"][]} */
export const SEVERITIES = ["info", "warn", "error", "critical"];

/**
 * @typedef {{ text: string, from: string, to: string }} Filter
 *   `text`: a query without mistakes. Times are ISO or before now, such as "-15m". Empty: everything passes.
 */

/** @type {Filter} */
export const EVERYTHING = { text: "", from: "", to: "" };
/** Filters in the addresses of earlier versions, and the fields of the language that mean the same. */
const EARLIER = { severity: "severity", module: "module", type: "type", correlation: "correlation" };

/**
 * The filter as parameters of the API.
 *
 * @param {Filter} filter
 */
export function logQuery({ text, from, to }) {
  return { ...(text && { q: text }), ...(from && { from }), ...(to && { to }) };
}

/** @param {Filter} filter */
export function isActive({ text, from, to }) {
  return text !== "" || from !== "" || to !== "";
}

/**
 * Whether a live event passes. It is newer than every time before now.
 *
 * @param {Filter} filter
 * @returns {(event: OperatorEvent) => boolean}
 */
export function admits({ text, from, to }) {
  const query = text ? parse(text) : null;
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  return (event) => {
    const storedMs = Date.parse(event.created_at);
    return !(storedMs < fromMs || storedMs > toMs) && (query?.matches(event) ?? true);
  };
}

/**
 * What the address asks for. A time that is none is left out; the text may have mistakes.
 *
 * @returns {Filter}
 */
export function filterOfAddress() {
  translateEarlier();
  const parameters = addressParameters();
  const time = (/** @type {string} */ name) => {
    const value = parameters.get(name) ?? "";
    if (/^-\d{1,6}[smhd]$/.test(value)) return value;
    return Number.isNaN(Date.parse(value)) ? "" : new Date(value).toISOString();
  };
  const [from, to] = [time("from"), time("to")];
  // The API refuses such a range.
  const backwards = Date.parse(from) > Date.parse(to);
  return { text: parameters.get("q") ?? "", ...(backwards ? { from: "", to: "" } : { from, to }) };
}

/** Links that were made before there were queries go on to mean what they meant. */
function translateEarlier() {
  const parameters = addressParameters();
  const terms = Object.entries(EARLIER).flatMap(([name, field]) => {
    const all = (parameters.get(name) ?? "").split(/[\s,]+/);
    const values = all.filter((value) => field !== "severity" || SEVERITIES.some((level) => level === value));
    const given = values.filter(Boolean).map(quoted);
    return given.length ? [`${field}:${given.length > 1 ? `(${given.join(",")})` : given[0]}`] : [];
  });
  const words = parameters.get("text")?.trim();
  if (words) terms.push(`"${words.replace(/["\\]/g, "\\$&")}"`);
  if (!terms.length && !Object.keys(EARLIER).some((name) => parameters.has(name))) return;
  const text = [parameters.get("q") ?? "", ...terms].filter(Boolean).join(" ");
  changeAddress({ severity: "", module: "", type: "", correlation: "", text: "", q: text });
}
