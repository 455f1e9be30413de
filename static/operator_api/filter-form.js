/** What the reader wants to see: as a form, in the page's address, as a query to the log, as a question to an event. */

import { payloadJson } from "../events/exact.js";
import { addressParameters, changeAddress, onStep } from "./address.js";
import { partOf, partsOf } from "./dom.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** @type {OperatorEvent["severity"][]} */
export const SEVERITIES = ["info", "warn", "error", "critical"];
/** What the server takes as one value of a filter. */
const VALUE = /^[A-Za-z0-9._-]{1,64}$/;
const TYPING_MS = 250;

/**
 * @typedef {{ severity: string[] | null, module: string, type: string, correlation: string, text: string }} Filter
 *   `severity` null: all of them; "" lets everything pass; `type` and `correlation` may be comma lists.
 *
 * @typedef {HTMLInputElement | HTMLSelectElement} Field
 */

/**
 * The filter as parameters of GET events. The log cannot search texts: `admits` does that.
 *
 * @param {Filter} filter
 */
export function logQuery(filter) {
  /** @type {Record<string, string | string[]>} */
  const query = {};
  if (filter.severity?.length) query.severity = filter.severity;
  if (filter.module) query.module = filter.module;
  if (filter.type) query.event_type = filter.type;
  if (filter.correlation) query.correlation_id = filter.correlation;
  return query;
}

/**
 * Nothing at all can pass, so that nothing need be asked for.
 *
 * @param {Filter} filter
 */
export function admitsNothing(filter) {
  return filter.severity?.length === 0;
}

/**
 * @param {Filter} filter
 * @returns {(event: OperatorEvent) => boolean}
 */
export function admits(filter) {
  const types = filter.type.split(",");
  const correlations = filter.correlation.split(",");
  const sought = filter.text.toLowerCase();
  return (event) =>
    (!filter.severity || filter.severity.includes(event.severity)) &&
    (!filter.module || filter.module === event.module) &&
    (!filter.type || types.includes(event.event_type)) &&
    (!filter.correlation || correlations.includes(event.correlation_id)) &&
    (!sought || contains(event, sought));
}

/**
 * @param {OperatorEvent} event
 * @param {string} sought
 */
function contains(event, sought) {
  const short = [event.summary, event.event_type, event.module, event.correlation_id, event.event_id];
  if (short.some((value) => value.toLowerCase().includes(sought))) return true;
  return payloadJson(event).toLowerCase().includes(sought);
}

export class FilterForm {
  #form = partOf(HTMLFormElement, ".filters");
  #module = partOf(HTMLSelectElement, "[name=module]", this.#form);
  #type = partOf(HTMLInputElement, "[name=type]", this.#form);
  #correlation = partOf(HTMLInputElement, "[name=correlation]", this.#form);
  #text = partOf(HTMLInputElement, "[name=text]", this.#form);
  #changed;
  /** @type {number | undefined} */
  #timer;
  /** @type {Filter} */
  filter = { severity: null, module: "", type: "", correlation: "", text: "" };

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

  /**
   * Sets some fields and keeps the others, as a step that the browser can go back from.
   *
   * @param {Partial<Filter>} fields
   */
  set(fields) {
    this.#write({ ...this.filter, ...fields }, { push: true });
  }

  /**
   * Sets some fields and empties the others, as such a step, too.
   *
   * @param {Partial<Filter>} fields
   */
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
    this.#text.focus();
    this.#text.select();
  }

  /**
   * Adds `module` to the choice, in the order of the alphabet, when it is new there.
   *
   * @param {string} module
   */
  offerModule(module) {
    const select = this.#module;
    const options = [...select.options].slice(1);
    if (options.some((option) => option.value === module)) return;
    select.add(new Option(module, module), options.find((option) => option.value > module) ?? null);
    if (this.filter.module === module) select.value = module;
  }

  /** @param {SubmitEvent} submit */
  #submit(submit) {
    submit.preventDefault();
    clearTimeout(this.#timer);
    this.#read();
  }

  /** From the form to the address and the feed; values that can match nothing stay in the form, marked as wrong. */
  #read() {
    const checked = [this.#type, this.#correlation];
    for (const field of checked) mark(field);
    if (!checked.every((field) => field.validity.valid)) return;
    const chosen = new FormData(this.#form).getAll("severity").map(String);
    const severity = chosen.length === SEVERITIES.length ? null : chosen;
    const [type, correlation] = checked.map((field) => values(field.value));
    const filter = { severity, module: this.#module.value, type, correlation, text: this.#text.value.trim() };
    if (JSON.stringify(filter) !== JSON.stringify(this.filter)) this.#write(filter);
  }

  /**
   * @param {Filter} filter
   * @param {{ push?: boolean }} [options]
   */
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
    const given = (/** @type {string} */ name) => {
      const listed = values(parameters.get(name) ?? "").split(",");
      return listed.filter((value) => VALUE.test(value)).join(",");
    };
    const module = given("module").split(",")[0];
    const levels = SEVERITIES.filter((level) => named?.includes(level));
    // Nothing is hidden because of a word that is no severity.
    const severity = levels.length || named?.includes("none") ? levels : null;
    const text = (parameters.get("text") ?? "").trim();
    this.filter = { severity, module, type: given("type"), correlation: given("correlation"), text };
    if (module) this.offerModule(module);
    this.#set(this.#module, this.filter.module);
    this.#set(this.#type, this.filter.type);
    this.#set(this.#correlation, this.filter.correlation);
    this.#set(this.#text, this.filter.text);
    const boxes = partsOf(HTMLInputElement, "[name=severity]", this.#form);
    for (const box of boxes) box.checked = severity?.some((level) => level === box.value) ?? true;
  }

  /**
   * Blanks and commas of an unfinished text stay: the reader may be typing at this moment.
   *
   * @param {Field} field
   * @param {string} value
   */
  #set(field, value) {
    if (values(field.value) !== value && field.value.trim() !== value) field.value = value;
    field.setCustomValidity("");
  }
}

/**
 * A comma list without blanks.
 *
 * @param {string} list
 */
function values(list) {
  return list.split(/[\s,]+/).filter(Boolean).join(",");
}

/** @param {Field} field */
function mark(field) {
  const good = values(field.value).split(",").every((value) => !value || VALUE.test(value));
  field.setCustomValidity(good ? "" : field.title);
  if (!good) field.reportValidity();
}
