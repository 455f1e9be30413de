/**
 * By which time the histogram counts: by when events were stored, or by when they happened; then also the part of that
 * time. Both stand in the page's address, as `chart=happened`, `chart-from` and `chart-to`.
 */

import { addressParameters, changeAddress, onStep } from "./address.js";
import { part, partOf, partsOf } from "./dom.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** Fewer rows say nothing about most. */
const FEWEST_ROWS = 3;

export class ChartAxis {
  isHappened = false;
  /** Bounds of what is counted by happening, ISO; empty: as far as there are events. */
  #range = { from: "", to: "" };
  #box = partOf(HTMLInputElement, "[data-switch=happened]");
  #whole = part("[data-action=whole-range]");
  #offer = part("[data-action=by-happening]");
  /** The reader has chosen since the page was loaded, and is asked no more. */
  #hasChosen = false;
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#box.addEventListener("change", () => this.#choose(this.#box.checked));
    this.#whole.addEventListener("click", () => this.zoom({ from: "", to: "" }));
    this.#offer.addEventListener("click", () => {
      this.#choose(true);
      // The button is gone now.
      this.#box.focus();
    });
    onStep(() => this.#read() && changed());
    this.#read();
  }

  /** As parameters of the counts. */
  get query() {
    const { from, to } = this.#range;
    return { by: "occurred_at", ...(from && { occurred_from: from }), ...(to && { occurred_to: to }) };
  }

  /** Whether it goes on where later events happen. */
  get isOpen() {
    return !this.#range.to;
  }

  /**
   * When an event is counted, in milliseconds since 1970; NaN: not at all.
   *
   * @param {OperatorEvent} event
   */
  momentOf({ created_at: stored, occurred_at: happened }) {
    if (!this.isHappened) return Date.parse(stored);
    const ms = Date.parse(happened ?? stored);
    const { from, to } = this.#range;
    return ms < Date.parse(from) || ms >= Date.parse(to) ? NaN : ms;
  }

  /** @param {{ from: string, to: string }} range */
  zoom({ from, to }) {
    changeAddress({ "chart-from": from, "chart-to": to }, { push: true });
    if (this.#read()) this.#changed();
  }

  /** Offers the other time where most of the rows in the page happened at another time than they were stored. */
  offerIfImported() {
    if (this.isHappened || this.#hasChosen) return;
    const rows = partsOf(HTMLElement, "#feed .row:not(.note)");
    const others = rows.filter((row) => row.hasAttribute("data-happened")).length;
    this.#offer.hidden = rows.length < FEWEST_ROWS || others * 2 <= rows.length;
  }

  /** @param {boolean} wanted */
  #choose(wanted) {
    this.#hasChosen = true;
    changeAddress({ chart: wanted ? "happened" : "", "chart-from": "", "chart-to": "" });
    if (this.#read()) this.#changed();
  }

  /** What the address says now; whether that is another choice than before. */
  #read() {
    const parameters = addressParameters();
    const before = JSON.stringify([this.isHappened, this.#range]);
    this.isHappened = parameters.get("chart") === "happened";
    const [from, to] = ["chart-from", "chart-to"].map((name) => {
      const ms = this.isHappened ? Date.parse(parameters.get(name) ?? "") : NaN;
      return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
    });
    // The API refuses a range that is turned round.
    this.#range = from && to && from > to ? { from: "", to: "" } : { from, to };
    this.#box.checked = this.isHappened;
    this.#whole.hidden = !this.#range.from && !this.#range.to;
    if (this.isHappened) this.#offer.hidden = true;
    return JSON.stringify([this.isHappened, this.#range]) !== before;
  }
}
