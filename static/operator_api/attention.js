/** What happened while the page was hidden: a count in its title and a dot on its icon, until it is looked at. */

import { partOf } from "./dom.js";
import { number } from "./times.js";

export class Attention {
  #icon = partOf(HTMLLinkElement, "link[rel=icon]");
  #plain = this.#icon.href;
  #title = document.title;
  #count = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => document.hidden || this.#show(0));
  }

  /** @param {number} count - so many more */
  add(count) {
    if (document.hidden) this.#show(this.#count + count);
  }

  /** @param {number} count */
  #show(count) {
    this.#count = count;
    document.title = count ? `(${number(count)}) ${this.#title}` : this.#title;
    this.#icon.href = (count && this.#icon.dataset.dotted) || this.#plain;
  }
}
