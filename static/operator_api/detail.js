/** One event with all its fields, beside the feed: payload as a tree, copy as JSON, and what belongs to it. */

import { eventJson, payloadOf } from "../events/exact.js";
import { longTime } from "./clock.js";
import { payloadTree } from "./payload-tree.js";
import { text } from "./texts.js";

const FIELDS = ["summary", "severity", "module", "event_type", "correlation_id", "created_at", "occurred_at"];
const NUMBERS = ["seq", "event_id"];

export class Detail {
  #panel = document.querySelector("#detail");
  #fields = this.#panel.querySelector("dl");
  #payload = this.#panel.querySelector("[data-slot=payload]");
  #copied = this.#panel.querySelector("[data-slot=copied]");
  #event = null;

  /** @param {{correlated: (id: string) => void, closed: () => void}} told */
  constructor({ correlated, closed }) {
    this.closed = closed;
    const on = (action, handler) => this.#panel.querySelector(`[data-action=${action}]`).addEventListener("click", handler);
    on("close-detail", () => this.close());
    on("copy", () => this.#copy());
    on("correlate", () => correlated(this.#event.correlation_id));
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  show(event) {
    this.#event = event;
    const given = [...FIELDS, ...NUMBERS].filter((field) => event[field] !== null);
    this.#fields.replaceChildren(...given.flatMap((field) => this.#pair(field, event[field])));
    this.#payload.replaceChildren(Object.keys(event.payload).length ? payloadTree(payloadOf(event)) : text("detail.empty"));
    this.#copied.textContent = "";
    this.#panel.hidden = false;
  }

  close() {
    this.#panel.hidden = true;
    this.closed();
  }

  redraw() {
    if (this.isOpen) this.show(this.#event);
  }

  #pair(field, value) {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = text(`detail.${field}`);
    const isTime = field.endsWith("_at");
    const body = document.createElement(isTime ? "time" : field === "summary" ? "strong" : "code");
    if (isTime) body.dateTime = body.title = value;
    body.textContent = isTime ? longTime(value) : value;
    description.append(body);
    return [term, description];
  }

  async #copy() {
    const { type, ...event } = this.#event;
    const done = await copy(eventJson(event, 2));
    this.#copied.textContent = text(done ? "copied.yes" : "copied.no");
  }
}

/** Whether it worked. Browsers give their clipboard only to pages that came over https or from this machine. */
async function copy(json) {
  try {
    await navigator.clipboard.writeText(json);
    return true;
  } catch {
    return copyBySelection(json);
  }
}

function copyBySelection(json) {
  const area = Object.assign(document.createElement("textarea"), { value: json, className: "unseen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
