/** The list of events: newest at the bottom, bounded, filtered, followed. It does not know where events come from. */

import { eventRow, noteRow } from "./row.js";
import { text } from "./texts.js";

/** What a person can still scroll through, and what a browser lays out without effort. */
export const ROW_LIMIT = 1_000;
/** Rows go in together: at 500 events a second the page is drawn 20 times, not 500. */
const FLUSH_MS = 50;
/** So near to the bottom counts as being there. */
const FOLLOW_MARGIN_PX = 48;

export class Feed {
  #frame = document.querySelector("#feed");
  #list = document.querySelector("[data-slot=rows]");
  #empty = document.querySelector("[data-slot=empty]");
  #count = document.querySelector("[data-slot=count]");
  #newest = document.querySelector("[data-action=newest]");
  #unread = document.querySelector("[data-slot=unread]");
  #filters = document.querySelector(".filters");
  #entries = [];
  #pending = [];
  #eventIds = new Set();
  #timer = null;
  #following = true;
  #unreadCount = 0;

  constructor() {
    // Browsers put old choices back into forms; the feed begins with everything.
    this.#filters.reset();
    this.#filters.addEventListener("change", () => this.#applyFilters());
    this.#filters.addEventListener("submit", (submit) => submit.preventDefault());
    this.#newest.addEventListener("click", () => this.#toNewest());
    this.#frame.addEventListener("scroll", () => this.#noticeScroll(), { passive: true });
    new ResizeObserver(() => this.#following && this.#toNewest()).observe(this.#frame);
    this.#describe();
  }

  /** After a reset the log may bring again what still stands here: one event is one row. */
  add(event) {
    if (this.#eventIds.has(event.event_id)) return;
    this.#eventIds.add(event.event_id);
    this.#queue({ event });
  }

  /** A sentence of the page itself, shown whatever the filters say. */
  note(sentence) {
    this.#queue({ sentence });
  }

  #queue(item) {
    this.#pending.push(item);
    // A tab in the background draws seldom; what it would throw away again is not kept for it.
    if (this.#pending.length > ROW_LIMIT) this.#forget(this.#pending.shift());
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush() {
    this.#timer = null;
    const wanted = this.#wanted();
    const added = this.#pending.splice(0).map(({ event, sentence }) => {
      const element = event ? eventRow(event) : noteRow(sentence);
      element.hidden = Boolean(event) && !wanted(event);
      if (event) this.#offerModule(event.module);
      return { element, event };
    });
    this.#entries.push(...added);
    this.#list.append(...added.map((entry) => entry.element));
    const surplus = this.#entries.splice(0, Math.max(0, this.#entries.length - ROW_LIMIT));
    for (const entry of surplus) {
      entry.element.remove();
      this.#forget(entry);
    }
    if (this.#following) this.#toNewest();
    else this.#unreadCount += added.filter((entry) => entry.event && !entry.element.hidden).length;
    this.#describe();
  }

  #forget({ event }) {
    if (event) this.#eventIds.delete(event.event_id);
  }

  /** The filter as a question about one event. */
  #wanted() {
    const chosen = new FormData(this.#filters);
    const severities = new Set(chosen.getAll("severity"));
    const module = chosen.get("module");
    return (event) => severities.has(event.severity) && (!module || event.module === module);
  }

  #applyFilters() {
    const wanted = this.#wanted();
    for (const { element, event } of this.#entries) element.hidden = Boolean(event) && !wanted(event);
    if (this.#following) this.#toNewest();
    this.#describe();
  }

  /** Adds `module` to the choice, in the order of the alphabet, when it is new there. */
  #offerModule(module) {
    const options = [...this.#filters.elements.module.options].slice(1);
    if (options.some((option) => option.value === module)) return;
    const next = options.find((option) => option.value > module) ?? null;
    this.#filters.elements.module.add(new Option(module, module), next);
  }

  #toNewest() {
    this.#frame.scrollTop = this.#frame.scrollHeight;
    this.#following = true;
    this.#unreadCount = 0;
    this.#describe();
  }

  #noticeScroll() {
    const below = this.#frame.scrollHeight - this.#frame.scrollTop - this.#frame.clientHeight;
    this.#following = below < FOLLOW_MARGIN_PX;
    if (this.#following) this.#unreadCount = 0;
    this.#describe();
  }

  #describe() {
    const events = this.#entries.filter((entry) => entry.event);
    const shown = events.filter((entry) => !entry.element.hidden).length;
    this.#count.textContent = text("count", { shown, total: events.length });
    this.#empty.hidden = shown > 0;
    this.#empty.textContent = text(events.length ? "empty.filtered" : "empty.none");
    const unread = { 0: "unread.none", 1: "unread.one" }[this.#unreadCount] ?? "unread.many";
    this.#unread.textContent = text(unread, { n: this.#unreadCount });
    this.#newest.hidden = this.#following;
  }
}
