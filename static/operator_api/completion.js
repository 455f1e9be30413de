/** A list of suggestions below a field, as a combobox: arrows choose, Enter takes, Escape closes. */

import { element } from "./dom.js";
import { number } from "./times.js";

/** @import { Suggestion, Suggestions } from "./suggestions.js" */

export class Completion {
  #field;
  #list;
  #suggest;
  #taken;
  /** @type {Suggestions} */
  #shown = { start: 0, suggestions: [] };
  #active = -1;
  #asked = 0;

  /**
   * @param {HTMLInputElement} field
   * @param {HTMLElement} list
   * @param {(text: string, caret: number) => Promise<Suggestions>} suggest
   * @param {() => void} taken - called when a suggestion was put into the field
   */
  constructor(field, list, suggest, taken) {
    this.#field = field;
    this.#list = list;
    this.#suggest = suggest;
    this.#taken = taken;
    field.addEventListener("keydown", (press) => this.#pressed(press));
    field.addEventListener("blur", () => this.close());
    // A press on the list must not take the focus from the field.
    list.addEventListener("mousedown", (press) => press.preventDefault());
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  /**
   * Looks for suggestions at the caret. With nothing begun there, only if `wanted`.
   *
   * @param {{ wanted?: boolean }} [options]
   */
  async open({ wanted = false } = {}) {
    const { value, selectionStart: caret } = this.#field;
    const asked = (this.#asked += 1);
    const found = await this.#suggest(value, caret ?? value.length);
    if (asked !== this.#asked || document.activeElement !== this.#field) return;
    const begun = found.start < (caret ?? 0) || /[:>=<(,]$/.test(value.slice(0, caret ?? 0));
    if (!found.suggestions.length || !(begun || wanted)) return this.close();
    this.#shown = found;
    this.#list.replaceChildren(...found.suggestions.map((suggestion, at) => this.#option(suggestion, at)));
    this.#list.hidden = false;
    this.#field.ariaExpanded = "true";
    this.#activate(wanted ? 0 : -1);
  }

  close() {
    this.#asked += 1;
    this.#list.hidden = true;
    this.#field.ariaExpanded = "false";
    this.#activate(-1);
  }

  /** @param {KeyboardEvent} press */
  #pressed(press) {
    if (press.isComposing || press.ctrlKey || press.metaKey || press.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[press.key];
    if (step && !this.isOpen) this.open({ wanted: true });
    else if (step) this.#step(step);
    else if (press.key === "Escape" && this.isOpen) this.close();
    else if (press.key === "Enter" && this.isOpen && this.#active >= 0) this.#take(this.#active);
    else return;
    press.preventDefault();
    press.stopPropagation();
  }

  /** @param {number} step */
  #step(step) {
    const count = this.#shown.suggestions.length;
    this.#activate(this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % count);
  }

  /** @param {number} index */
  #activate(index) {
    this.#active = index;
    for (const [at, option] of [...this.#list.children].entries()) option.ariaSelected = String(at === index);
    const active = this.#list.children[index];
    if (active) this.#field.setAttribute("aria-activedescendant", active.id);
    else this.#field.removeAttribute("aria-activedescendant");
    active?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} index */
  #take(index) {
    const { text } = this.#shown.suggestions[index];
    // Behind a field comes its value, behind a value something else.
    const goesOn = /[:=.]$/.test(text);
    const { value, selectionStart } = this.#field;
    const rest = value.slice(selectionStart ?? value.length);
    const inList = value.slice(0, this.#shown.start).lastIndexOf("(") > value.slice(0, this.#shown.start).lastIndexOf(")");
    const between = goesOn || inList || rest.startsWith(" ") ? "" : " ";
    this.#field.setRangeText(text + between, this.#shown.start, selectionStart ?? value.length, "end");
    this.close();
    this.#taken();
    if (goesOn) this.open();
  }

  /**
   * @param {Suggestion} suggestion
   * @param {number} at
   */
  #option({ text, count }, at) {
    const option = element("li", { id: `${this.#list.id}-${at}`, role: "option" });
    option.append(element("code", { textContent: text }));
    if (count !== undefined) option.append(" ", element("span", { textContent: number(count) }));
    option.addEventListener("click", () => this.#take(at));
    return option;
  }
}
