/** Lines below the bar about what is not as it should be, each as long as it is so. */

import { slot } from "./dom.js";

export class Banners {
  #place = slot("banners");
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /**
   * @param {string} name
   * @param {string} sentence
   */
  show(name, sentence) {
    const banner = this.#shown.get(name) ?? document.createElement("p");
    banner.className = "banner";
    banner.dataset.banner = name;
    // Screen readers read out each change of this place, so the same sentence is not set again.
    if (banner.textContent !== sentence) banner.textContent = sentence;
    if (!this.#shown.has(name)) this.#place.append(banner);
    this.#shown.set(name, banner);
  }

  /** @param {string} name */
  hide(name) {
    this.#shown.get(name)?.remove();
    this.#shown.delete(name);
  }
}
