/** What stands beside the feed: one thing at a time, and the focus goes back to where it came from. */

export class Panels {
  #frame = document.querySelector("#feed");
  #body = document.body;
  #members = [];
  #from = null;

  /** @param {{isOpen: boolean, close: () => void}[]} members */
  manage(...members) {
    this.#members = members;
  }

  /** Before `opening` is shown. */
  makeRoomFor(opening) {
    const focused = document.activeElement;
    for (const member of this.#members) if (member !== opening && member.isOpen) member.close();
    this.#body.classList.add("with-panel");
    // From one panel to the other, it came from where the first was opened.
    if (!focused.closest(".panel")) this.#from = focused;
  }

  closeAll() {
    for (const member of this.#members) if (member.isOpen) member.close();
  }

  /** After one was closed. */
  closed() {
    if (this.#members.some((member) => member.isOpen)) return;
    this.#body.classList.remove("with-panel");
    const from = this.#from?.matches("button") && this.#from.checkVisibility() ? this.#from : this.#frame;
    from.focus({ preventScroll: true });
  }
}
