/** Which columns rows have between severity and summary. They stand in the page's address. */

import { EventView, isScalar, textOf } from "../events/query-view.js";
import { addressParameters, changeAddress, onStep } from "./address.js";
import { partOf } from "./dom.js";
import { PATH } from "./facets.js";
import { keysOf } from "./query-text.js";
import { text } from "./texts.js";
import { shortTime } from "./times.js";
import { visible } from "./unseen.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

const TIME_WIDTH = "8.4em";
/**
 * Fields as a query calls them, where it can ask for them; the key of their label, and their width.
 *
 * @type {Map<string, { label: string, width: string, of: (event: OperatorEvent) => string }>}
 */
const FIELDS = new Map([
  ["module", { label: "detail.module", width: wide(10.5), of: ({ module }) => module }],
  ["type", { label: "detail.event_type", width: wide(11), of: ({ event_type: type }) => type }],
  ["correlation", { label: "detail.correlation_id", width: wide(11), of: ({ correlation_id: id }) => id }],
  ["occurred", { label: "detail.occurred_at", width: TIME_WIDTH, of: (event) => timeOf(event.occurred_at) }],
  ["stored", { label: "detail.created_at", width: TIME_WIDTH, of: (event) => timeOf(event.created_at) }],
]);
export const FIELD_NAMES = [...FIELDS.keys()];
const USUAL = ["module", "type"];
/** In the address, for no columns at all. */
const NONE = "none";
/** More would leave no room for the summary. */
export const COLUMNS_LIMIT = 8;
/** A payload may hold a list of thousands, and a text of 64 KiB. */
const VALUES_LIMIT = 20;
const WORDS_LIMIT = 300;

/** @type {(() => void)[]} */
const listeners = [];
let shown = ofAddress();
onStep(() => {
  shown = ofAddress();
  changed();
});

export function columns() {
  return shown;
}

/** Whether the address has others than the usual ones. */
export function areChosen() {
  return shown.join() !== USUAL.join();
}

/** @param {string[]} names - fields, and paths such as payload.http.status; those beyond the limit are left out */
export function showColumns(names) {
  shown = [...new Set(names)].filter(isColumn).slice(0, COLUMNS_LIMIT);
  changeAddress({ columns: areChosen() ? shown.join(",") || NONE : "" });
  changed();
}

export function showUsualColumns() {
  showColumns(USUAL);
}

/** @param {() => void} listener */
export function onColumnsChange(listener) {
  listeners.push(listener);
}

/** @param {string} name */
export function isColumn(name) {
  return FIELDS.has(name) || PATH.test(name);
}

/** @param {string} name */
export function labelOf(name) {
  const field = FIELDS.get(name);
  return field ? text(field.label) : name.replace(/^payload\./, "");
}

/**
 * What stands in the column of this event; of a list, its elements. Empty: the event has no such value.
 *
 * @param {string} name
 * @param {OperatorEvent} event
 */
export function wordsOf(name, event) {
  const field = FIELDS.get(name);
  if (field) return field.of(event);
  const values = new EventView(event).at(keysOf(name)).slice(0, VALUES_LIMIT);
  return visible(values.map((value) => (isScalar(value) ? textOf(value) : "{…}")).join(", ").slice(0, WORDS_LIMIT));
}

/** Tells the style sheet how many columns there are and how wide. */
export function layOut() {
  const widths = shown.map((name) => `minmax(0, ${FIELDS.get(name)?.width ?? wide(11)})`);
  const frame = partOf(HTMLElement, ".feed-frame");
  frame.style.setProperty("--columns", widths.join(" "));
  frame.style.setProperty("--narrow-columns", [...shown.slice(1).map(() => "minmax(0, auto)"), "minmax(0, 1fr)"].join(" "));
}

function changed() {
  layOut();
  for (const listener of listeners) listener();
}

function ofAddress() {
  const given = addressParameters().get("columns");
  if (!given) return USUAL;
  return [...new Set(given.split(","))].filter(isColumn).slice(0, COLUMNS_LIMIT);
}

/**
 * Columns give way where a panel stands beside the feed.
 *
 * @param {number} em
 */
function wide(em) {
  return `calc(${em}em * var(--give))`;
}

/** @param {string | null} iso */
function timeOf(iso) {
  return iso === null ? "" : shortTime(iso);
}
