/** Parts that a reader has folded or unfolded stay so: the address has their names. Others go by the room there is. */

import { addressParameters, changeAddress } from "./address.js";
import { part, partsOf } from "./dom.js";

export class Folds {
  #parts = partsOf(HTMLDetailsElement, "details[data-fold]");

  constructor() {
    for (const details of this.#parts) {
      // The state changes behind the click; what the page does by itself is no choice of the reader.
      part("summary", details).addEventListener("click", () => this.#choose(details.dataset.fold ?? "", !details.open));
    }
  }

  /**
   * As the reader has chosen, or else by the room.
   *
   * @param {(details: HTMLDetailsElement) => boolean} hasRoom
   */
  apply(hasRoom) {
    const [folded, unfolded] = [namesIn("folded"), namesIn("unfolded")];
    for (const details of this.#parts) {
      const name = details.dataset.fold ?? "";
      details.open = unfolded.has(name) || (!folded.has(name) && hasRoom(details));
    }
  }

  /**
   * @param {string} name
   * @param {boolean} open
   */
  #choose(name, open) {
    const [folded, unfolded] = [namesIn("folded"), namesIn("unfolded")];
    for (const names of [folded, unfolded]) names.delete(name);
    (open ? unfolded : folded).add(name);
    changeAddress({ folded: [...folded].join(","), unfolded: [...unfolded].join(",") });
  }
}

/** @param {string} parameter */
function namesIn(parameter) {
  return new Set((addressParameters().get(parameter) ?? "").split(",").filter(Boolean));
}
