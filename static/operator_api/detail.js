/** One event with all its fields, beside the feed: payload as a tree, copies, and what belongs to it. */

import { eventJson, payloadOf } from "../events/exact.js";
import { changeAddress } from "./address.js";
import { copy } from "./clipboard.js";
import { element, part, slot } from "./dom.js";
import { payloadTree } from "./payload-tree.js";
import { text, textIfAny } from "./texts.js";
import { exactTime } from "./times.js";
import { ValueActions } from "./value-actions.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Choice } from "./query-text.js"
 * @import { ApiError } from "./requests.js"
 *
 * @typedef {Exclude<keyof OperatorEvent, "type" | "payload" | "payload_exact">} Field
 *
 * @typedef {object} Actions
 * @property {(id: string) => void} correlated
 * @property {(event: OperatorEvent) => void} inContext
 * @property {(field: string, value: string, choice: Choice) => void} choose
 * @property {(path: string) => void} count
 * @property {(path: string) => void} column
 * @property {() => void} closed
 */

/** @type {Field[]} */
const FIELDS = [
  "summary", "severity", "module", "event_type", "correlation_id", "created_at", "occurred_at", "seq", "event_id",
];
/** Those that a query can ask for, as it calls them. */
const ASKED = new Map([["severity", "severity"], ["module", "module"], ["event_type", "type"],
  ["correlation_id", "correlation"], ["event_id", "id"]]);

export class Detail {
  #panel = part("#detail");
  #fields = part("dl", this.#panel);
  #payload = slot("payload", this.#panel);
  #copied = slot("copied", this.#panel);
  #missing = slot("event-missing", this.#panel);
  #footer = part("footer", this.#panel);
  #values;
  #closed;
  /** @type {OperatorEvent | null} */
  #event = null;

  /** @param {Actions} actions */
  constructor({ correlated, inContext, choose, count, column, closed }) {
    this.#closed = closed;
    this.#values = new ValueActions({ choose, count, column, copy: (words) => this.#copy(words) });
    this.#onClick("close-detail", () => this.close());
    this.#onEvent("copy", ({ type: _, ...event }) => this.#copy(eventJson(event, 2)));
    this.#onEvent("copy-link", () => this.#copy(location.href));
    this.#onEvent("correlate", (event) => correlated(event.correlation_id));
    this.#onEvent("context", inContext);
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** The event that is shown, by its id; null without one. */
  get eventId() {
    return this.isOpen ? (this.#event?.event_id ?? null) : null;
  }

  /** @param {OperatorEvent} event */
  show(event) {
    this.#event = event;
    changeAddress({ event: event.event_id });
    this.#fields.replaceChildren(...FIELDS.flatMap((field) => this.#pair(field, event[field])));
    const isEmpty = !Object.keys(event.payload).length;
    this.#payload.replaceChildren(isEmpty ? text("detail.empty") : payloadTree(payloadOf(event), this.#values));
    this.#open(null);
  }

  /**
   * Instead of an event that cannot be shown.
   *
   * @param {ApiError} error
   */
  showMissing(error) {
    this.#event = null;
    this.#fields.replaceChildren();
    this.#payload.replaceChildren();
    this.#open(textIfAny(`event.${error.status}`) ?? error.sentence);
  }

  close() {
    this.#panel.hidden = true;
    changeAddress({ event: "" });
    this.#closed();
  }

  redraw() {
    if (this.isOpen && this.#event) this.show(this.#event);
  }

  /** @param {string | null} missing - a sentence instead of an event */
  #open(missing) {
    this.#missing.hidden = missing === null;
    this.#missing.textContent = missing;
    this.#footer.hidden = missing !== null;
    this.#copied.textContent = "";
    this.#panel.hidden = false;
  }

  /**
   * @param {string} action
   * @param {() => void} handler
   */
  #onClick(action, handler) {
    part(`[data-action=${action}]`, this.#panel).addEventListener("click", handler);
  }

  /**
   * @param {string} action
   * @param {(event: OperatorEvent) => void} handler
   */
  #onEvent(action, handler) {
    this.#onClick(action, () => this.#event && handler(this.#event));
  }

  /**
   * @param {Field} field
   * @param {string | number | null} value
   */
  #pair(field, value) {
    if (value === null) return [];
    const [term, description] = [element("dt", { textContent: text(`detail.${field}`) }), element("dd")];
    const words = String(value);
    const shown = field === "severity" ? (textIfAny(`severity.${words}`) ?? words) : words;
    description.append(field.endsWith("_at") ? timeOf(words) : element(field === "summary" ? "strong" : "code", { textContent: shown }));
    const asked = ASKED.get(field);
    if (asked) description.append(" ", this.#values.button(asked, words));
    return [term, description];
  }

  /** @param {string} words */
  async #copy(words) {
    const done = await copy(words);
    this.#copied.textContent = text(done ? "copied.yes" : "copied.no");
  }
}

/** @param {string} iso */
function timeOf(iso) {
  return element("time", { textContent: exactTime(iso), dateTime: iso, title: iso });
}
