/**
 * Notices of critical events and of watches that fired: of the desktop and by a sound, where they are switched on, and in
 * the title of a hidden page. What comes together is one notice, with its count.
 */

import { addressParameters, changeAddress } from "./address.js";
import { Attention } from "./attention.js";
import { choices, choose } from "./choices.js";
import { partOf, slot } from "./dom.js";
import { onDemand } from "./on-demand.js";
import { text } from "./texts.js";
import { number } from "./times.js";

/**
 * @typedef {"critical" | "fired"} Kind
 * @typedef {{ id: string, kind: Kind, name: string, line: string, open: () => void }} Happening
 *   `name` of the module or the watch; `open`: what a press on the notice does
 */

/** What comes together is one notice. */
const GATHER_MS = 200;
/** A storm is one notice now, and one about the rest of it after this time. */
const QUIET_MS = 5_000;
/** Lines in one notice; desktops cut off what is longer. */
const NAMED = 3;

export class Notices {
  #box = partOf(HTMLInputElement, "[data-switch=notices]");
  #sound = partOf(HTMLInputElement, "[data-switch=sound]");
  #refused = slot("notices-refused");
  #attention = new Attention();
  #quietUntilMs = 0;
  /**
   * What the next notice is about: so many of each kind, and the first of them.
   *
   * @type {{ critical: number, fired: number, named: Happening[] }}
   */
  #next = { critical: 0, fired: 0, named: [] };
  /** Without it there is no sound. */
  #chime = onDemand(() => import("./on-demand/chime.js"));

  constructor() {
    this.#sound.checked = choices().sound === true;
    if (this.#sound.checked) this.#chime().then((sound) => sound?.prepare());
    this.#sound.addEventListener("change", () => this.#chooseSound());
    const offered = "Notification" in window && window.isSecureContext;
    this.#box.disabled = !offered;
    this.#refused.hidden = offered;
    if (!offered) return;
    const wanted = choices().notices === true || addressParameters().get("notices") === "on";
    // Only a press may ask for the permission; one that was given before still counts.
    this.#box.checked = wanted && Notification.permission === "granted";
    this.#box.addEventListener("change", () => this.#choose());
  }

  /**
   * @param {Kind} kind
   * @param {number} count
   * @param {Happening[]} named - the first of them, one at least
   */
  receive(kind, count, named) {
    this.#attention.add(count);
    if (!this.#box.checked && !this.#sound.checked) return;
    const next = this.#next;
    const isFirst = !next.named.length;
    next[kind] += count;
    next.named.push(...named.slice(0, NAMED - next.named.length));
    if (isFirst) setTimeout(() => this.#show(), Math.max(GATHER_MS, this.#quietUntilMs - performance.now()));
  }

  #show() {
    const { critical, fired, named } = this.#next;
    this.#next = { critical: 0, fired: 0, named: [] };
    this.#quietUntilMs = performance.now() + QUIET_MS;
    if (this.#sound.checked) this.#chime().then((sound) => sound?.chime());
    if (!this.#box.checked) return;
    const notice = this.#make({ critical, fired }, named);
    notice?.addEventListener("click", () => {
      window.focus();
      notice.close();
      named[0].open();
    });
  }

  /**
   * Null where the browser has the permission and no notices all the same, as those of telephones.
   *
   * @param {Record<Kind, number>} counts
   * @param {Happening[]} named
   */
  #make(counts, named) {
    const [first] = named;
    const count = counts.critical + counts.fired;
    const isOne = count === 1;
    const title = isOne ? text(`notice.${first.kind}`, { name: first.name }) : titleOf(counts);
    const lines = isOne ? [first.line] : named.map(({ name, line }) => `${name}: ${line}`);
    if (count > named.length) lines.push(text("notice.more", { n: number(count - named.length) }));
    try {
      // The same tag in every tab: the desktop shows one.
      return new Notification(title, { body: lines.join("\n"), tag: first.id });
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
    choose({ notices: this.#box.checked });
    // Earlier versions had it in the address, from where it would come back.
    changeAddress({ notices: "" });
  }

  async #chooseSound() {
    choose({ sound: this.#sound.checked });
    if (!this.#sound.checked) return;
    const sound = await this.#chime();
    sound?.prepare();
    // As a trial.
    sound?.chime();
  }
}

/** @param {Record<Kind, number>} counts */
function titleOf(counts) {
  const words = (/** @type {Kind} */ kind) =>
    counts[kind] && text(`notice.${kind}_${counts[kind] === 1 ? "one" : "many"}`, { n: number(counts[kind]) });
  return [words("critical"), words("fired")].filter(Boolean).join(", ");
}
