/** The values of one field, each with two buttons: only these, and without these. */

import { button } from "./dom.js";
import { afterPress } from "./press.js";
import { chosen, quoted } from "./query-text.js";
import { text, textIfAny } from "./texts.js";
import { number } from "./times.js";
import { visible } from "./unseen.js";

/**
 * @import { Counted } from "./facets.js"
 * @import { Choice } from "./query-text.js"
 */

export class FacetList {
  element = document.createElement("section");
  #field;
  #choose;
  #note = document.createElement("p");
  #list = document.createElement("ul");
  /** @type {Counted} */
  #counted = { values: [], sample: false, complete: true };
  #query = "";
  #shown = "";
  #render = () => this.#draw();

  /**
   * @param {string} field
   * @param {object} actions
   * @param {(value: string, choice: Choice, wanted: boolean) => void} actions.choose - `wanted`: false takes it back
   * @param {(() => void) | null} actions.remove
   */
  constructor(field, { choose, remove }) {
    this.#field = field;
    this.#choose = choose;
    const title = Object.assign(document.createElement("h3"), { id: `facet-${field.replace(/[^\w.-]/g, "_")}` });
    title.textContent = textIfAny(`detail.${field}`) ?? field;
    this.element.setAttribute("aria-labelledby", title.id);
    this.element.dataset.facet = field;
    if (remove) title.append(" ", labelled("remove", "×", text("facet.remove", { field }), remove));
    this.#note.hidden = true;
    this.element.append(title, this.#list, this.#note);
  }

  /**
   * @param {Counted} counted
   * @param {string} query
   */
  show(counted, query) {
    this.#counted = counted;
    this.showChosen(query);
  }

  /**
   * The same counts for another query, until new ones come.
   *
   * @param {string} query
   */
  showChosen(query) {
    this.#query = query;
    afterPress(this.#render);
  }

  #draw() {
    const query = this.#query;
    this.#note.hidden = this.#counted.complete && !this.#counted.sample;
    this.#note.textContent = text(this.#counted.sample ? "facet.sample" : "facet.partly");
    const included = chosen(query, this.#field, "include");
    const excluded = chosen(query, this.#field, "exclude");
    const values = this.#counted.values.map(({ value, count }) => ({ value: String(value), count: number(count) }));
    const seen = new Set(values.map(({ value }) => quoted(value)));
    // What is chosen can be taken back here, also when it does not occur.
    const missing = [...included, ...excluded].filter((written) => !seen.has(written) && !written.endsWith("*"));
    const all = [...values, ...missing.map((written) => ({ value: plain(written), count: "" }))];
    const now = JSON.stringify([all, [...included], [...excluded]]);
    // Buttons that are replaced lose the focus, so they stay while nothing has changed.
    if (now === this.#shown) return;
    this.#shown = now;
    const focused = document.activeElement?.getAttribute("data-key") ?? "";
    const had = this.element.contains(document.activeElement);
    this.#list.replaceChildren(...all.map(({ value, count }) => {
      const written = quoted(value);
      return this.#item(value, count, { included: included.has(written), excluded: excluded.has(written) });
    }));
    const again = had ? this.#list.querySelector(`[data-key="${CSS.escape(focused)}"]`) : null;
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  }

  /**
   * @param {string} value
   * @param {string} count
   * @param {{ included: boolean, excluded: boolean }} state
   */
  #item(value, count, { included, excluded }) {
    const item = document.createElement("li");
    const word = this.#field === "severity" ? (textIfAny(`severity.${value}`) ?? value) : visible(value);
    // What a press does is what the button shows, also when a text that was just typed says it already.
    const pressed = (/** @type {MouseEvent} */ { altKey: alt }) =>
      this.#choose(value, alt ? "exclude" : "include", !(alt ? excluded : included));
    const include = button("", pressed, { className: "include" });
    const [name, figure] = [document.createElement("span"), document.createElement("span")];
    [name.className, name.textContent] = ["name", word || "“”"];
    [figure.className, figure.textContent] = ["count", count];
    include.append(name, " ", figure);
    include.title = text("facet.hint", { value: word });
    include.ariaPressed = String(included);
    include.dataset.key = `+${value}`;
    const label = text("facet.exclude", { value: word });
    const exclude = labelled("exclude", "−", label, () => this.#choose(value, "exclude", !excluded));
    exclude.ariaPressed = String(excluded);
    exclude.dataset.key = `-${value}`;
    if (this.#field === "severity") item.dataset.severity = value;
    item.append(include, exclude);
    return item;
  }
}

/**
 * @param {string} name
 * @param {string} words
 * @param {string} label
 * @param {(press: MouseEvent) => void} pressed
 */
function labelled(name, words, label, pressed) {
  return button(words, pressed, { className: name, ariaLabel: label, title: label });
}

/**
 * A value as it is in events.
 *
 * @param {string} written
 */
function plain(written) {
  return written.startsWith('"') ? written.slice(1, -1).replace(/\\(["\\])/g, "$1") : written;
}
