/** What the reader wants to see: as a form, in the page's address, as a query to the log, as a question to an event. */

import { payloadJson } from "../events/exact.js";
import { addressParameters, changeAddress, onStep } from "./address.js";

export const SEVERITIES = ["info", "warn", "error", "critical"];
/** What the server takes as one value of a filter. */
const VALUE = /^[A-Za-z0-9._-]{1,64}$/;
const TYPING_MS = 250;

/** @typedef {{severity: ?string[], module: string, type: string, correlation: string, text: string}} Filter
 *   `severity` null: all of them; "" lets everything pass; `type` and `correlation` may be comma lists. */

/** The filter as parameters of GET events. The log cannot search texts: `admits` does that. */
export function logQuery(filter) {
  const fields = { severity: filter.severity, module: filter.module, event_type: filter.type };
  fields.correlation_id = filter.correlation;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value?.length));
}

/** Nothing at all can pass, so that nothing need be asked for. */
export function admitsNothing(filter) {
  return filter.severity?.length === 0;
}

/** @returns {(event: object) => boolean} */
export function admits(filter) {
  const lists = [
    ["severity", filter.severity],
    ["module", filter.module && [filter.module]],
    ["event_type", filter.type && filter.type.split(",")],
    ["correlation_id", filter.correlation && filter.correlation.split(",")],
  ].filter(([, values]) => values);
  const sought = filter.text.toLowerCase();
  return (event) => lists.every(([field, values]) => values.includes(event[field])) && (!sought || contains(event, sought));
}

function contains(event, sought) {
  const short = [event.summary, event.event_type, event.module, event.correlation_id, event.event_id];
  if (short.some((value) => value.toLowerCase().includes(sought))) return true;
  return payloadJson(event).toLowerCase().includes(sought);
}

export class FilterForm {
  #form = document.querySelector(".filters");
  #changed;
  #timer = null;
  /** @type {Filter} */
  filter;

  /** @param {(filter: Filter) => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#fillIn();
    this.#form.addEventListener("submit", (submit) => this.#submit(submit));
    this.#form.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#read(), TYPING_MS);
    });
    onStep(() => {
      this.#fillIn();
      this.#changed(this.filter);
    });
  }

  /** Sets some fields and lets the others be, as a step that the browser can go back from. */
  set(fields) {
    this.#write({ ...this.filter, ...fields }, { push: true });
  }

  /** Sets some fields and empties the others, as such a step, too. */
  only(fields) {
    this.#write({ severity: null, module: "", type: "", correlation: "", text: "", ...fields }, { push: true });
  }

  clear() {
    this.only({});
  }

  /** Whether anything is filtered. */
  get active() {
    return Object.values(this.filter).some((value) => value !== null && value !== "");
  }

  focusText() {
    // On a narrow page the filters are folded away.
    this.#form.closest("details")?.setAttribute("open", "");
    this.#form.elements.text.focus();
    this.#form.elements.text.select();
  }

  /** Adds `module` to the choice, in the order of the alphabet, when it is new there. */
  offerModule(module) {
    const select = this.#form.elements.module;
    const options = [...select.options].slice(1);
    if (options.some((option) => option.value === module)) return;
    select.add(new Option(module, module), options.find((option) => option.value > module) ?? null);
    if (this.filter?.module === module) select.value = module;
  }

  #submit(submit) {
    submit.preventDefault();
    clearTimeout(this.#timer);
    this.#read();
  }

  /** From the form to the address and the feed; values that can match nothing stay in the form, marked as wrong. */
  #read() {
    const { module, type, correlation, text } = this.#form.elements;
    for (const field of [type, correlation]) mark(field);
    if (![type, correlation].every((field) => field.validity.valid)) return;
    const chosen = new FormData(this.#form).getAll("severity");
    const severity = chosen.length === SEVERITIES.length ? null : chosen;
    const fields = { module: module.value, type: values(type.value), correlation: values(correlation.value) };
    const filter = { severity, ...fields, text: text.value.trim() };
    if (JSON.stringify(filter) !== JSON.stringify(this.filter)) this.#write(filter);
  }

  #write(filter, { push = false } = {}) {
    const severity = filter.severity && (filter.severity.join(",") || "none");
    changeAddress({ ...filter, severity, at: "" }, { push });
    this.#fillIn();
    this.#changed(this.filter);
  }

  /** From the address to the form: the address is what counts, and may hold anything. */
  #fillIn() {
    const parameters = addressParameters();
    const named = parameters.get("severity")?.split(",");
    const given = (name) => values(parameters.get(name) ?? "").split(",").filter((value) => VALUE.test(value)).join(",");
    const module = given("module").split(",")[0];
    const levels = SEVERITIES.filter((level) => named?.includes(level));
    // Nothing is hidden because of a word that is no severity.
    const severity = levels.length || named?.includes("none") ? levels : null;
    const text = (parameters.get("text") ?? "").trim();
    this.filter = { severity, module, type: given("type"), correlation: given("correlation"), text };
    if (module) this.offerModule(module);
    for (const name of ["module", "type", "correlation", "text"]) this.#set(this.#form.elements[name], this.filter[name]);
    for (const box of this.#form.querySelectorAll("[name=severity]")) box.checked = severity?.includes(box.value) ?? true;
  }

  /** What somebody types at this moment is not tidied up under his hands. */
  #set(field, value) {
    if (values(field.value) !== value && field.value.trim() !== value) field.value = value;
    field.setCustomValidity("");
  }
}

/** A comma list without blanks. */
function values(list) {
  return list.split(/[\s,]+/).filter(Boolean).join(",");
}

function mark(field) {
  const good = values(field.value).split(",").every((value) => !value || VALUE.test(value));
  field.setCustomValidity(good ? "" : field.title);
  if (!good) field.reportValidity();
}
