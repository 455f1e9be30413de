/**
 * Up to when the figures of the page hold. While events arrive that is now, and nothing is said. What is read without the
 * stream holds up to when it was read: its place has a name, `data-as-of="window"`.
 */

import { partsOf } from "./dom.js";
import { text } from "./texts.js";
import { minuteTime } from "./times.js";

export class AsOf {
  #places = partsOf(HTMLElement, "[data-as-of]");
  /** Before the first events there are no figures. */
  #arrived = false;
  /** @type {number | null} - milliseconds since 1970; null while events arrive */
  #lostMs = null;
  /**
   * When that was read; null while it is not known.
   *
   * @type {Map<string, number | null>}
   */
  #readMs = new Map();

  /** @param {boolean} arriving */
  show(arriving) {
    this.#arrived ||= arriving;
    if (arriving) this.#lostMs = null;
    else if (this.#arrived) this.#lostMs ??= Date.now();
    this.redraw();
  }

  /**
   * @param {string} name
   * @param {boolean} isKnown
   */
  read(name, isKnown) {
    this.#readMs.set(name, isKnown ? Date.now() : null);
    this.redraw();
  }

  redraw() {
    for (const place of this.#places) {
      const readMs = this.#readMs.get(place.dataset.asOf ?? "");
      const ms = this.#lostMs === null || readMs === undefined ? this.#lostMs : readMs;
      const words = ms === null ? "" : text("as_of", { time: minuteTime(ms) });
      [place.hidden, place.textContent] = [!words, words];
    }
  }
}
