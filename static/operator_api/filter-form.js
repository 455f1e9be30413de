/** What the reader wants to see, as a form. The page's address holds it, so that a link shows another person the same. */

import { changeAddress, onStep } from "./address.js";
import { part, partOf } from "./dom.js";
import { EVERYTHING, filterOfAddress, isActive } from "./filter.js";
import { seek } from "./highlight.js";
import { QueryLine } from "./query-line.js";
import { TimeRange } from "./time-range.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Filter } from "./filter.js"
 * @import { Mistake } from "./query-line.js"
 */

export class FilterForm {
  #form = partOf(HTMLFormElement, ".filters");
  #clear = part("[data-action=clear]");
  #line;
  #range = new TimeRange((range) => this.set(range));
  #changed;
  /** @type {Filter} */
  filter = EVERYTHING;

  /**
   * @param {import("./suggestions.js").SuggestionSource} source
   * @param {(filter: Filter, beside: OperatorEvent | null) => void} changed - `beside`: the event to go to
   */
  constructor(source, changed) {
    this.#changed = changed;
    const write = (/** @type {string} */ text) => text !== this.filter.text && this.#write({ ...this.filter, text });
    this.#line = new QueryLine(source, write, () => this.#leave());
    this.#form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#line.submit();
    });
    this.#clear.addEventListener("click", () => {
      this.set(EVERYTHING);
      // The button is gone then.
      part("#feed").focus({ preventScroll: true });
    });
    onStep(() => {
      this.#fillIn();
      this.#changed(this.filter, null);
    });
    this.#fillIn();
  }

  /**
   * Sets some fields and keeps the others, as a step that the browser can go back from.
   *
   * @param {Partial<Filter>} fields
   * @param {OperatorEvent | null} [beside] - what is shown then stands around this event
   */
  set(fields, beside = null) {
    this.#write({ ...this.filter, ...fields }, { push: true, beside });
  }

  focus() {
    // On a narrow page the filters are folded away.
    this.#form.closest("details")?.setAttribute("open", "");
    this.#line.focus();
  }

  /** To the events: what was typed is used, and a text with a mistake gives way to what is asked for. */
  #leave() {
    this.#line.submit();
    this.#line.show(this.filter.text);
    part("#feed").focus({ preventScroll: true });
  }

  /**
   * A mistake that the server has found.
   *
   * @param {Mistake} mistake
   */
  refused(mistake) {
    this.#line.showMistake(mistake);
  }

  /**
   * @param {Filter} filter
   * @param {{ push?: boolean, beside?: OperatorEvent | null }} [options]
   */
  #write({ text, from, to }, { push = false, beside = null } = {}) {
    // A press may make a text longer than a query can be.
    if (!this.#line.show(text)) return;
    changeAddress({ q: text, from, to }, { push });
    this.#fillIn();
    this.#changed(this.filter, beside);
  }

  /** From the address to the form: the address is what counts, and may hold anything. */
  #fillIn() {
    const filter = filterOfAddress();
    const good = this.#line.show(filter.text);
    this.filter = good ? { ...filter, text: filter.text.trim() } : { ...filter, text: "" };
    this.#range.show(this.filter);
    this.#clear.hidden = !isActive(this.filter);
    seek(this.filter.text);
  }
}
