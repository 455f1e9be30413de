/** What stands beside the feed: one thing at a time, and the focus goes back to where it came from. */

import { part } from "./dom.js";

/** @typedef {{ isOpen: boolean, close: () => void }} Panel */

export class Panels {
  #frame = part("#feed");
  #body = document.body;
  /** @type {Panel[]} */
  #members = [];
  /** @type {Element | null} */
  #from = null;

  /** @param {Panel[]} members */
  manage(...members) {
    this.#members = members;
  }

  /**
   * Before `opening` is shown.
   *
   * @param {Panel} opening
   */
  makeRoomFor(opening) {
    const focused = document.activeElement;
    for (const member of this.#members) if (member !== opening && member.isOpen) member.close();
    this.#body.classList.add("with-panel");
    // From one panel to the other, it came from where the first was opened.
    if (!focused?.closest(".panel")) this.#from = focused;
  }

  closeAll() {
    for (const member of this.#members) if (member.isOpen) member.close();
  }

  /** After one was closed. */
  closed() {
    if (this.#members.some((member) => member.isOpen)) return;
    this.#body.classList.remove("with-panel");
    const from = this.#from instanceof HTMLButtonElement && this.#from.checkVisibility() ? this.#from : this.#frame;
    from.focus({ preventScroll: true });
  }
}
