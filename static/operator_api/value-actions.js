/** What can be done with one value of an event: ask for it, ask without it, count it, see it in each row, copy it. */

import { button, element } from "./dom.js";
import { payloadPath } from "./query-text.js";
import { text } from "./texts.js";

/** @import { Choice } from "./query-text.js" */

/** The query line has one line, and a query 1 000 characters. */
const ASKABLE = /^[^\r\n]{1,200}$/;

/**
 * @typedef {object} Actions
 * @property {(field: string, value: string, choice: Choice) => void} choose
 * @property {(field: string) => void} count
 * @property {(field: string) => void} column - shows it in each row
 * @property {(words: string) => void} copy
 */

export class ValueActions {
  #actions;

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /**
   * The button behind a value of the payload. Places in lists are no part of a path: any element counts.
   *
   * @param {string[]} keys
   * @param {string | null} value - as a text; null: nothing that can be asked for
   */
  ofPayload(keys, value) {
    return this.button(payloadPath(keys), value, { counted: true });
  }

  /**
   * A button that shows what can be done with a value, behind itself.
   *
   * @param {string} field - as in a query
   * @param {string | null} value
   * @param {{ counted?: boolean }} [options] - whether its values can be counted beside the feed
   * @returns {HTMLButtonElement}
   */
  button(field, value, { counted = false } = {}) {
    const title = text("value.more", { field });
    const toggle = () => this.#toggle(more, field, value, counted);
    const more = button("⋯", toggle, { className: "more-actions", title, ariaLabel: title, ariaExpanded: "false" });
    return more;
  }

  /**
   * @param {HTMLButtonElement} more
   * @param {string} field
   * @param {string | null} value
   * @param {boolean} counted
   */
  #toggle(more, field, value, counted) {
    const next = more.nextElementSibling;
    const isOpen = next?.classList.contains("value-actions") ?? false;
    more.ariaExpanded = String(!isOpen);
    if (isOpen) return next?.remove();
    const group = element("span", { className: "value-actions", role: "group", ariaLabel: field });
    const { choose, count, column, copy } = this.#actions;
    if (value !== null && ASKABLE.test(value)) {
      group.append(
        button(text("value.include"), () => choose(field, value, "include")),
        button(text("value.exclude"), () => choose(field, value, "exclude")),
      );
    }
    if (counted) {
      group.append(
        button(text("value.count"), () => count(field)),
        button(text("value.column"), () => column(field)),
      );
    }
    if (value !== null) group.append(button(text("value.copy"), () => copy(value)));
    group.append(button(text("value.path"), () => copy(field)));
    more.after(group);
  }
}
