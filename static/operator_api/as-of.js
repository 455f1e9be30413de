/** Up to when the figures of the page hold. While events arrive that is now, and nothing is said. */

import { partsOf } from "./dom.js";
import { text } from "./texts.js";
import { minuteTime } from "./times.js";

export class AsOf {
  #places = partsOf(HTMLElement, "[data-as-of]");
  /** Before the first events there are no figures. */
  #arrived = false;
  /** @type {number | null} - milliseconds since 1970; null while events arrive */
  #lostMs = null;

  /** @param {boolean} arriving */
  show(arriving) {
    this.#arrived ||= arriving;
    if (arriving) this.#lostMs = null;
    else if (this.#arrived) this.#lostMs ??= Date.now();
    this.redraw();
  }

  redraw() {
    const words = this.#lostMs === null ? "" : text("as_of", { time: minuteTime(this.#lostMs) });
    for (const place of this.#places) [place.hidden, place.textContent] = [!words, words];
  }
}
