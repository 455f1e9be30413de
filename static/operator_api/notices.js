/** A notice of the desktop for each critical event, when switched on. The choice stands in the page's address. */

import { addressParameters, changeAddress } from "./address.js";
import { partOf, slot } from "./dom.js";
import { text } from "./texts.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** A storm of critical events is one notice. */
const QUIET_MS = 5_000;

export class Notices {
  #box = partOf(HTMLInputElement, "[data-switch=notices]");
  #refused = slot("notices-refused");
  #opened;
  #quietUntilMs = 0;

  /** @param {(event: OperatorEvent) => void} opened - called when a notice is pressed */
  constructor(opened) {
    this.#opened = opened;
    const offered = "Notification" in window && window.isSecureContext;
    this.#box.disabled = !offered;
    this.#refused.hidden = offered;
    if (!offered) return;
    // Only a press may ask for the permission; one that was given before still counts.
    this.#box.checked = addressParameters().get("notices") === "on" && Notification.permission === "granted";
    this.#box.addEventListener("change", () => this.#choose());
  }

  /**
   * A live event.
   *
   * @param {OperatorEvent} event
   */
  receive(event) {
    if (event.severity !== "critical" || !this.#box.checked || performance.now() < this.#quietUntilMs) return;
    this.#quietUntilMs = performance.now() + QUIET_MS;
    const notice = this.#make(event);
    notice?.addEventListener("click", () => {
      window.focus();
      notice.close();
      this.#opened(event);
    });
  }

  /**
   * Null where the browser has the permission and no notices all the same, as those of telephones.
   *
   * @param {OperatorEvent} event
   */
  #make(event) {
    try {
      // The same tag in every tab: the desktop shows one.
      const options = { body: event.summary, tag: event.event_id };
      return new Notification(text("notice.title", { module: event.module }), options);
    } catch {
      this.#box.checked = false;
      this.#refused.hidden = false;
      return null;
    }
  }

  async #choose() {
    const wanted = this.#box.checked;
    if (wanted) this.#box.checked = (await Notification.requestPermission()) === "granted";
    this.#refused.hidden = !wanted || this.#box.checked;
    changeAddress({ notices: this.#box.checked ? "on" : "" });
  }
}
