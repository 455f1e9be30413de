/** The range of time that is looked at: so long before now, or between two moments. */

import { part, partOf } from "./dom.js";
import { fieldToIso, isoToField, onZoneChange } from "./times.js";

/** @typedef {{ from: string, to: string }} Range - ISO, or before now, such as "-15m"; empty: without an end */

const CUSTOM = "custom";

export class TimeRange {
  #choice = partOf(HTMLSelectElement, "[name=range]");
  #custom = part(".custom-range");
  #from = partOf(HTMLInputElement, "[name=from]");
  #to = partOf(HTMLInputElement, "[name=to]");
  #changed;
  /** @type {Range} */
  #range = { from: "", to: "" };

  /** @param {(range: Range) => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#choice.addEventListener("change", () => this.#choose());
    for (const field of [this.#from, this.#to]) field.addEventListener("change", () => this.#read());
    onZoneChange(() => this.show(this.#range));
  }

  /** @param {Range} range */
  show({ from, to }) {
    this.#range = { from, to };
    const isPreset = !to && [...this.#choice.options].some(({ value }) => value === from);
    this.#choice.value = isPreset ? from : CUSTOM;
    this.#custom.hidden = isPreset;
    this.#from.value = from && !from.startsWith("-") ? isoToField(from) : "";
    this.#to.value = to ? isoToField(to) : "";
    this.#to.min = this.#from.value;
  }

  #choose() {
    if (this.#choice.value !== CUSTOM) return this.#changed({ from: this.#choice.value, to: "" });
    // Two fields to fill in; what is shown changes with the first of them.
    this.#custom.hidden = false;
    return this.#from.focus();
  }

  #read() {
    this.#to.min = this.#from.value;
    if (!this.#from.validity.valid || !this.#to.validity.valid) return;
    const iso = (/** @type {HTMLInputElement} */ { value }) => (value ? fieldToIso(value) : "");
    this.#changed({ from: iso(this.#from), to: iso(this.#to) });
  }
}
