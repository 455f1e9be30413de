/** The list of what fired, newest first: when, how much, whether it has ended; to mute the watch, and to see the events. */

import { button, element, part, slot } from "../dom.js";
import { countWords } from "../fired.js";
import { afterPress } from "../press.js";
import { ApiError, showRefusal } from "../requests.js";
import { may } from "../rights.js";
import { text } from "../texts.js";
import { momentWords } from "../times.js";
import { visible } from "../unseen.js";
import { rangeOf } from "./firing-range.js";
import { isMuted, muteButton, muteChoices, muteWords } from "./muting.js";

/**
 * @import { Firing } from "../answers.d.ts"
 * @import { ListPage } from "../fired.js"
 */

export class FiredList {
  #page;
  #list = slot("firings");
  #refusal = slot("fired-refusal");
  #said = slot("fired-done");
  /**
   * The rows that are shown, by firing, and what each of them shows.
   *
   * @type {Map<string, { row: HTMLLIElement, shown: string }>}
   */
  #rows = new Map();
  /** The firing at which the choices of muting are open. */
  #muting = "";
  /** @type {Firing[]} */
  #firings = [];
  #render = () => this.#draw();

  /** @param {ListPage} page */
  constructor(page) {
    this.#page = page;
    part("[data-action=older-fired]").addEventListener("click", page.older);
  }

  /**
   * @param {Firing[]} firings
   * @param {"none" | "older" | "too many"} more - whether there are older ones, and whether they can be asked for
   */
  show(firings, more) {
    this.#firings = firings;
    slot("fired-none").hidden = firings.length > 0;
    const older = part("[data-action=older-fired]");
    if (more !== "older" && older === document.activeElement) part("#fired .body").focus();
    older.hidden = more !== "older";
    slot("fired-more").hidden = more !== "too many";
    afterPress(this.#render);
  }

  redraw() {
    this.#rows.clear();
    this.#draw();
  }

  #draw() {
    const focused = document.activeElement;
    const [firing, key] = [focused?.closest("li")?.dataset.firing, focused?.getAttribute("data-key")];
    const had = focused !== null && this.#list.contains(focused);
    const rows = new Map();
    for (const each of this.#firings) rows.set(each.firing_id, this.#rowFor(each));
    this.#rows = rows;
    // Rows that have not changed stay: they may have the focus, and readers would read them out again.
    for (const row of [...this.#list.children]) {
      if (![...rows.values()].some((kept) => kept.row === row)) row.remove();
    }
    for (const [at, { row }] of [...rows.values()].entries()) {
      if (this.#list.children[at] !== row) this.#list.insertBefore(row, this.#list.children[at] ?? null);
    }
    if (had && !this.#list.contains(document.activeElement)) this.#focus(firing ?? "", key ?? "");
  }

  /** @param {Firing} firing */
  #rowFor(firing) {
    const isMuting = this.#muting === firing.firing_id;
    const shown = JSON.stringify([firing, isMuting, isMuted(firing.muted_until)]);
    const before = this.#rows.get(firing.firing_id);
    return before?.shown === shown ? before : { row: this.#row(firing, isMuting), shown };
  }

  /**
   * @param {string} firing
   * @param {string} key
   */
  #focus(firing, key) {
    const row = this.#rows.get(firing)?.row;
    const found = row?.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? row?.querySelector("button");
    (found instanceof HTMLElement ? found : part("#fired .body")).focus();
  }

  /**
   * @param {Firing} firing
   * @param {boolean} isMuting
   */
  #row(firing, isMuting) {
    const { firing_id: id, name, group, resolved_at: resolved, fired_at: fired, mine, owner } = firing;
    const row = element("li", { className: "firing" });
    row.dataset.firing = id;
    row.dataset.state = resolved ? "resolved" : "fired";
    const head = element("p");
    head.append(element("span", { className: "mark", ariaHidden: "true" }), element("strong", { textContent: visible(name) }));
    if (group) head.append(" ", element("code", { textContent: visible(group) }));
    if (!mine) head.append(" ", element("span", { className: "whose", textContent: text("views.by", { name: visible(owner) }) }));
    const state = resolved
      ? text("firing.resolved", { time: wordsOf(resolved) })
      : text("firing.fired", { time: wordsOf(fired) });
    const what = element("p", { textContent: [state, ...countsOf(firing)].join(" · ") });
    row.append(head, what, this.#actions(firing, isMuting), ...muteChoices(this.#mutingOf(firing, isMuting)));
    return row;
  }

  /**
   * @param {Firing} firing
   * @param {boolean} isMuting
   */
  #actions(firing, isMuting) {
    const { name } = firing;
    const line = element("p", { className: "actions" });
    const open = button(text("firing.open"), () => this.#page.toFeed(rangeOf(firing)), {
      ariaLabel: text("firing.open_it", { name }),
    });
    open.dataset.key = "open";
    line.append(open);
    if (!may("watch:write")) return line;
    line.append(...muteButton(this.#mutingOf(firing, isMuting)));
    return line;
  }

  /**
   * @param {Firing} firing
   * @param {boolean} isOpen
   */
  #mutingOf(firing, isOpen) {
    const { name, muted_until: until, firing_id: id } = firing;
    const mute = (/** @type {string | null} */ time) => void this.#mute(firing, time);
    return { name, until, isOpen, toggle: () => this.#toggle(id), mute };
  }

  /** @param {string} id */
  #toggle(id) {
    this.#muting = this.#muting === id ? "" : id;
    this.#draw();
  }

  /**
   * @param {Firing} firing
   * @param {string | null} until
   */
  async #mute({ watch_id: id, name }, until) {
    this.#muting = "";
    try {
      const { muted_until: now } = await this.#page.api.post(`/watches/${id}/mute`, { muted_until: until });
      showRefusal(this.#refusal, null);
      this.#said.textContent = muteWords(name, now);
      this.#firings = this.#firings.map((each) => (each.watch_id === id ? { ...each, muted_until: now } : each));
      this.#draw();
      this.#page.changed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    }
  }
}

/** @param {Firing} firing */
function countsOf({ count, first_at: first, last_at: last, values, resolved_at: resolved, fired_at: fired }) {
  const times = [first, last].filter((each) => each !== null).map(wordsOf);
  const shown = times.length ? [...new Set(times)] : resolved ? [wordsOf(fired)] : [];
  const news = values.length ? [text("firing.values", { values: values.map(visible).join(", ") })] : [];
  return [[countWords(count), shown.join(" – ")].filter(Boolean).join(", "), ...news];
}

/** @param {string} iso */
function wordsOf(iso) {
  return momentWords(Date.parse(iso));
}
