/** What stands beside the feed: one thing at a time, and the focus goes back to where it came from. */

export class Panels {
  #frame = document.querySelector("#feed");
  #body = document.body;
  #members = [];

  /** @param {{isOpen: boolean, close: () => void}[]} members */
  manage(...members) {
    this.#members = members;
  }

  /** Before `opening` is shown. */
  makeRoomFor(opening) {
    for (const member of this.#members) if (member !== opening && member.isOpen) member.close();
    this.#body.classList.add("with-panel");
  }

  closeAll() {
    for (const member of this.#members) if (member.isOpen) member.close();
  }

  /** After one was closed. */
  closed() {
    if (this.#members.some((member) => member.isOpen)) return;
    this.#body.classList.remove("with-panel");
    this.#frame.focus({ preventScroll: true });
  }
}
