/** Notices of the desktop for critical events, when switched on. The choice stands in the page's address. */

import { addressParameters, changeAddress } from "./address.js";
import { partOf, slot } from "./dom.js";
import { text } from "./texts.js";
import { number } from "./times.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** Events that come together are one notice. */
const GATHER_MS = 200;
/** A storm of critical events is one notice now, and one about the rest of it after this time. */
const QUIET_MS = 5_000;
/** Summaries in one notice; desktops cut off what is longer. */
const NAMED = 3;

export class Notices {
  #box = partOf(HTMLInputElement, "[data-switch=notices]");
  #refused = slot("notices-refused");
  #opened;
  #quietUntilMs = 0;
  /**
   * What the next notice is about: so many events, and the first of them.
   *
   * @type {{ count: number, named: OperatorEvent[] }}
   */
  #next = { count: 0, named: [] };

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
    if (event.severity !== "critical" || !this.#box.checked) return;
    this.#next.count += 1;
    if (this.#next.named.length < NAMED) this.#next.named.push(event);
    if (this.#next.count > 1) return;
    setTimeout(() => this.#show(), Math.max(GATHER_MS, this.#quietUntilMs - performance.now()));
  }

  #show() {
    const { count, named } = this.#next;
    this.#next = { count: 0, named: [] };
    if (!this.#box.checked) return;
    this.#quietUntilMs = performance.now() + QUIET_MS;
    const notice = this.#make(count, named);
    notice?.addEventListener("click", () => {
      window.focus();
      notice.close();
      this.#opened(named[0]);
    });
  }

  /**
   * Null where the browser has the permission and no notices all the same, as those of telephones.
   *
   * @param {number} count
   * @param {OperatorEvent[]} named - the first of them
   */
  #make(count, named) {
    const [first] = named;
    const title = count > 1 ? text("notice.many", { n: number(count) }) : text("notice.title", { module: first.module });
    const lines = count > 1 ? named.map(({ module, summary }) => `${module}: ${summary}`) : [first.summary];
    if (count > NAMED) lines.push(text("notice.more", { n: number(count - NAMED) }));
    try {
      // The same tag in every tab: the desktop shows one.
      return new Notification(title, { body: lines.join("\n"), tag: first.event_id });
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
