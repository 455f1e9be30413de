/** Lines below the bar about what is not as it should be, each as long as it is so. */

import { button, slot } from "./dom.js";

export class Banners {
  #place = slot("banners");
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /**
   * @param {string} name
   * @param {string} sentence
   * @param {{ words: string, pressed: () => void }} [action] - a button behind it; what is pressed is said by `words`
   */
  show(name, sentence, action) {
    const banner = this.#shown.get(name) ?? document.createElement("p");
    banner.className = "banner";
    banner.dataset.banner = name;
    // Screen readers read out each change of this place, so the same sentence is not set again.
    if (banner.firstChild?.textContent !== sentence) {
      banner.textContent = sentence;
      if (action) banner.append(" ", button(action.words, action.pressed));
    }
    if (!this.#shown.has(name)) this.#place.append(banner);
    this.#shown.set(name, banner);
  }

  /** @param {string} name */
  hide(name) {
    this.#shown.get(name)?.remove();
    this.#shown.delete(name);
  }
}
