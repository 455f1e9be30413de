/**
 * Keys: one letter each, never while the focus is in a field for text. A switch turns them off: a program that writes
 * what is spoken sends letters, too.
 */

import { addressParameters, changeAddress } from "./address.js";
import { part, partOf, partsOf, targetOf } from "./dom.js";

export class Keyboard {
  #help = partOf(HTMLDialogElement, "#help");
  #letters = partOf(HTMLInputElement, "[data-switch=keys]");

  /** @param {Record<string, () => void>} actions - by the key as browsers call it */
  constructor(actions) {
    this.#letters.checked = addressParameters().get("keys") !== "off";
    this.#letters.addEventListener("change", () => changeAddress({ keys: this.#letters.checked ? "" : "off" }));
    for (const button of partsOf(HTMLElement, "[data-action=help]")) {
      button.addEventListener("click", () => this.#help.showModal());
    }
    part("[data-action=close-help]", this.#help).addEventListener("click", () => this.#help.close());
    addEventListener("keydown", (press) => this.#pressed(press, { ...actions, "?": () => this.#help.showModal() }));
  }

  /**
   * @param {KeyboardEvent} press
   * @param {Record<string, () => void>} actions
   */
  #pressed(press, actions) {
    const action = actions[press.key];
    if (!action || press.ctrlKey || press.metaKey || press.altKey || press.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    const isLetter = press.key.length === 1;
    if (isLetter && (typing(targetOf(press)) || !this.#letters.checked)) return;
    press.preventDefault();
    action();
  }
}

/** @param {Element | null} element */
function typing(element) {
  return element?.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}
