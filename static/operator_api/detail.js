/** One event with all its fields, beside the feed: payload as a tree, copy as JSON, and what belongs to it. */

import { eventJson, payloadOf } from "../events/exact.js";
import { longTime } from "./times.js";
import { part, slot } from "./dom.js";
import { payloadTree } from "./payload-tree.js";
import { text } from "./texts.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 *
 * @typedef {Exclude<keyof OperatorEvent, "type" | "payload" | "payload_exact">} Field
 */

/** @type {Field[]} */
const FIELDS = [
  "summary", "severity", "module", "event_type", "correlation_id", "created_at", "occurred_at", "seq", "event_id",
];

export class Detail {
  #panel = part("#detail");
  #fields = part("dl", this.#panel);
  #payload = slot("payload", this.#panel);
  #copied = slot("copied", this.#panel);
  /** @type {OperatorEvent | null} */
  #event = null;

  /** @param {{ correlated: (id: string) => void, closed: () => void }} listeners */
  constructor({ correlated, closed }) {
    this.closed = closed;
    this.#onClick("close-detail", () => this.close());
    this.#onClick("copy", () => this.#copy());
    this.#onClick("correlate", () => this.#event && correlated(this.#event.correlation_id));
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** @param {OperatorEvent} event */
  show(event) {
    this.#event = event;
    this.#fields.replaceChildren(...FIELDS.flatMap((field) => this.#pair(field, event[field])));
    const isEmpty = !Object.keys(event.payload).length;
    this.#payload.replaceChildren(isEmpty ? text("detail.empty") : payloadTree(payloadOf(event)));
    this.#copied.textContent = "";
    this.#panel.hidden = false;
  }

  close() {
    this.#panel.hidden = true;
    this.closed();
  }

  redraw() {
    if (this.isOpen && this.#event) this.show(this.#event);
  }

  /**
   * @param {string} action
   * @param {() => void} handler
   */
  #onClick(action, handler) {
    part(`[data-action=${action}]`, this.#panel).addEventListener("click", handler);
  }

  /**
   * @param {Field} field
   * @param {string | number | null} value
   */
  #pair(field, value) {
    if (value === null) return [];
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = text(`detail.${field}`);
    const words = String(value);
    description.append(field.endsWith("_at") ? timeOf(words) : element(field === "summary" ? "strong" : "code", words));
    return [term, description];
  }

  async #copy() {
    if (!this.#event) return;
    const { type: _, ...event } = this.#event;
    const done = await copy(eventJson(event, 2));
    this.#copied.textContent = text(done ? "copied.yes" : "copied.no");
  }
}

/** @param {string} iso */
function timeOf(iso) {
  return Object.assign(element("time", longTime(iso)), { dateTime: iso, title: iso });
}

/**
 * @param {string} name
 * @param {string} words
 */
function element(name, words) {
  return Object.assign(document.createElement(name), { textContent: words });
}

/**
 * Whether it worked. Browsers give their clipboard only to pages that came over https or from this machine.
 *
 * @param {string} json
 */
async function copy(json) {
  try {
    await navigator.clipboard.writeText(json);
    return true;
  } catch {
    return copyBySelection(json);
  }
}

/** @param {string} json */
function copyBySelection(json) {
  const area = Object.assign(document.createElement("textarea"), { value: json, className: "unseen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
