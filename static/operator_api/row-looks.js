/** The dialog about rows: how dense they are, whether summaries go on in more lines, and which columns there are. */

import { choices, choose } from "./choices.js";
import {
  columns, COLUMNS_LIMIT, FIELD_NAMES, isColumn, labelOf, layOut, onColumnsChange, showColumns,
  showUsualColumns,
} from "./columns.js";
import { element, part, partOf, partsOf, slot } from "./dom.js";

const DENSITIES = ["compact", "comfortable"];

export class RowLooks {
  #dialog = partOf(HTMLDialogElement, "#row-looks");
  #wrap = partOf(HTMLInputElement, "[data-switch=wrap]");
  #list = slot("columns", this.#dialog);
  #paths = slot("payload-paths", this.#dialog);
  #path = partOf(HTMLInputElement, "[name=column]");
  #densities = partsOf(HTMLInputElement, "[name=density]", this.#dialog);
  #usual = part("[data-action=usual-columns]", this.#dialog);
  #seen;
  #changed;

  /**
   * @param {object} page
   * @param {() => string[]} page.seen - paths into the payloads that the page has
   * @param {() => void} page.changed - rows are to be made again
   */
  constructor({ seen, changed }) {
    this.#seen = seen;
    this.#changed = changed;
    for (const field of this.#densities) field.addEventListener("change", () => this.#choose({ density: field.value }));
    this.#wrap.addEventListener("change", () => this.#choose({ wrap: this.#wrap.checked }));
    this.#usual.addEventListener("click", showUsualColumns);
    part("[data-action=rows]").addEventListener("click", () => this.#open());
    part("[data-action=close-rows]", this.#dialog).addEventListener("click", () => this.#dialog.close());
    part(".column-form", this.#dialog).addEventListener("submit", (submit) => {
      submit.preventDefault();
      if (this.add(this.#path.value.trim())) this.#path.value = "";
    });
    this.#path.addEventListener("input", () => this.#path.setCustomValidity(""));
    onColumnsChange(() => {
      this.#listColumns();
      this.#changed();
    });
    this.#apply(choices());
    layOut();
  }

  /**
   * Shows a field of the payload as a column; whether it can be one.
   *
   * @param {string} path - such as payload.http.status
   */
  add(path) {
    const full = path.startsWith("payload.") ? path : `payload.${path}`;
    const fits = isColumn(full) && (columns().includes(full) || columns().length < COLUMNS_LIMIT);
    if (fits) showColumns([...columns(), full]);
    else if (this.#dialog.open) {
      this.#path.setCustomValidity(this.#path.title);
      this.#path.reportValidity();
    }
    return fits;
  }

  #open() {
    this.#listColumns();
    this.#paths.replaceChildren(...this.#seen().map((path) => new Option(path)));
    this.#dialog.showModal();
  }

  /** @param {import("./choices.js").Choices} changes */
  #choose(changes) {
    choose(changes);
    this.#apply({ density: document.body.dataset.density ?? "", wrap: this.#wrap.checked, ...changes });
    this.#changed();
  }

  /** @param {import("./choices.js").Choices} looks */
  #apply({ density, wrap }) {
    const chosen = DENSITIES.find((name) => name === density) ?? DENSITIES[0];
    document.body.dataset.density = chosen;
    document.body.toggleAttribute("data-wrap", Boolean(wrap));
    for (const field of this.#densities) field.checked = field.value === chosen;
    this.#wrap.checked = Boolean(wrap);
  }

  #listColumns() {
    const { activeElement: focused } = document;
    const had = this.#list.contains(focused) && focused instanceof HTMLInputElement ? focused.value : null;
    this.#fill();
    const again = had === null ? null : this.#list.querySelector(`[value="${CSS.escape(had)}"]`);
    if (again instanceof HTMLElement) again.focus();
  }

  #fill() {
    const all = [...FIELD_NAMES, ...columns().filter((name) => !FIELD_NAMES.includes(name))];
    this.#list.replaceChildren(...all.map((name) => this.#choice(name)));
    slot("columns-full", this.#dialog).hidden = columns().length < COLUMNS_LIMIT;
  }

  /** @param {string} name */
  #choice(name) {
    const label = element("label", { className: "chip" });
    const checked = columns().includes(name);
    const disabled = !checked && columns().length >= COLUMNS_LIMIT;
    const box = element("input", { type: "checkbox", value: name, checked, disabled });
    box.addEventListener("change", () => {
      const others = columns().filter((other) => other !== name);
      showColumns(box.checked ? [...others, name] : others);
    });
    label.append(box, labelOf(name));
    return label;
  }
}
