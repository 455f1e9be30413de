/** Keys: one letter each, never while somebody types, and to be switched off by who speaks to his machine. */

import { addressParameters, changeAddress } from "./address.js";

export class Keyboard {
  #help = document.querySelector("#help");
  #letters = document.querySelector("[data-switch=keys]");

  /** @param {Record<string, () => void>} actions - by the key as browsers call it */
  constructor(actions) {
    this.#letters.checked = addressParameters().get("keys") !== "off";
    this.#letters.addEventListener("change", () => changeAddress({ keys: this.#letters.checked ? "" : "off" }));
    for (const button of document.querySelectorAll("[data-action=help]")) {
      button.addEventListener("click", () => this.#help.showModal());
    }
    this.#help.querySelector("[data-action=close-help]").addEventListener("click", () => this.#help.close());
    addEventListener("keydown", (press) => this.#pressed(press, { ...actions, "?": () => this.#help.showModal() }));
  }

  #pressed(press, actions) {
    const action = actions[press.key];
    if (!action || press.ctrlKey || press.metaKey || press.altKey || press.isComposing) return;
    const isLetter = press.key.length === 1;
    if (document.querySelector("dialog[open]") || (isLetter && (typing(press.target) || !this.#letters.checked))) return;
    press.preventDefault();
    action();
  }
}

function typing(element) {
  return element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}
