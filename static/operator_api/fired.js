/**
 * What own and shared watches have fired: how much of it is new, on the button; read again when an event says that there
 * is more. The list itself is loaded when it is opened.
 */

import { reaches, split } from "../events/cursors.js";
import { choices, choose } from "./choices.js";
import { part, slot } from "./dom.js";
import { onDemand } from "./on-demand.js";
import { ApiError, showRefusal } from "./requests.js";
import { text } from "./texts.js";
import { number } from "./times.js";
import { visible } from "./unseen.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Firing } from "./answers.d.ts"
 * @import { Happening } from "./notices.js"
 *
 * @typedef {{ q: string, from: string, to: string }} Range - as in the page's address
 * @typedef {{ api: import("./requests.js").ConsoleApi, toFeed: (range: Range) => void, changed: () => void,
 *   older: () => void }} ListPage
 */

/** How many are read, how many more at a time when older ones are asked for, and at most. */
const [LIMIT, LIMIT_MAX] = [50, 500];
/** Events that come together are read together; pages that received the same one do not ask at the same moment. */
const [GATHER_MS, SPREAD_MS] = [250, 500];
/** From one read to the next, while watches fire all the time. */
const PAUSE_MS = 2_000;
const RETRY_MS = 10_000;
/** What is new for who has never looked. */
const NEW_MS = 86_400_000;

export class Fired {
  #api;
  #page;
  #button = part("[data-action=fired]");
  #count = slot("fired-count");
  #said = slot("fired-said");
  #panel = part("#fired");
  #refusal = slot("fired-refusal");
  /** @type {Firing[]} - newest first */
  #firings = [];
  /** Of events since the last read: what fired then is news. */
  #announced = new Set();
  #limit = LIMIT;
  #hasOlder = false;
  #running = false;
  #reading = false;
  #stale = true;
  #readAtMs = -Infinity;
  /** @type {number | undefined} */
  #timer;
  #list;

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {object} page
   * @param {string} page.user - the public id of the reader
   * @param {(count: number, named: Happening[]) => void} page.news
   * @param {(range: Range) => void} page.toFeed - shows the events of a firing
   * @param {() => void} page.open - makes room and calls `open`
   * @param {() => void} page.closed
   */
  constructor(api, page) {
    this.#page = page;
    this.#api = api;
    const list = { api, toFeed: page.toFeed, changed: () => this.renew(), older: () => this.#older() };
    this.#list = onDemand(
      async () => new (await import("./on-demand/fired-list.js")).FiredList(list),
      () => showRefusal(this.#refusal, new ApiError({ status: 0 })),
    );
    this.#button.addEventListener("click", () => this.toggle());
    part("[data-action=close-fired]", this.#panel).addEventListener("click", () => this.close());
    document.addEventListener("visibilitychange", () => this.#show());
    // Another tab has shown it.
    addEventListener("storage", () => this.#show());
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  open() {
    this.#panel.hidden = false;
    this.#button.ariaExpanded = "true";
    part(".body", this.#panel).focus();
    this.#show();
    // A watch may have been muted or renamed meanwhile, and no event says so.
    this.renew();
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.#page.open();
  }

  close() {
    this.#panel.hidden = true;
    this.#limit = LIMIT;
    this.#button.ariaExpanded = "false";
    this.#page.closed();
  }

  /** The stream stands: what comes from now on is announced by events. */
  start() {
    this.#running = true;
    if (this.#stale) this.#soon(0);
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Reads again, and takes nothing of it for news. */
  renew() {
    this.#stale = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#soon(0);
  }

  /** In another time zone. */
  redraw() {
    if (this.isOpen) this.#list().then((list) => list?.redraw());
  }

  /**
   * An event `watch.*`. Those about what another person keeps to itself lead to nothing.
   *
   * @param {OperatorEvent} event
   */
  receive({ event_type: type, payload: { owner, shared, firing_id: id } }) {
    if (!shared && owner !== this.#page.user) return;
    if (type === "watch.fired") this.#announced.add(id);
    this.#stale = true;
    this.#soon(GATHER_MS + SPREAD_MS * Math.random());
  }

  /** @param {number} delayMs */
  #soon(delayMs) {
    if (!this.#running || this.#reading) return;
    const earliestMs = this.#readAtMs + PAUSE_MS - performance.now();
    this.#timer ??= setTimeout(() => this.#read(), delayMs && Math.max(delayMs, earliestMs));
  }

  async #read() {
    this.#timer = undefined;
    this.#reading = true;
    this.#stale = false;
    const announced = this.#announced;
    this.#announced = new Set();
    let pauseMs = PAUSE_MS;
    try {
      const { firings, next } = await this.#api.get("/watches/fired", { mine: "true", limit: this.#limit });
      [this.#firings, this.#hasOlder] = [firings, next !== null];
      showRefusal(this.#refusal, null);
      this.#notify(announced);
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error, (sentence) => text("failed", { sentence }));
      for (const id of announced) this.#announced.add(id);
      this.#stale = true;
      pauseMs = Math.max(RETRY_MS, error.retryAfterMs);
    } finally {
      this.#reading = false;
      this.#readAtMs = performance.now();
      if (this.#stale) this.#soon(pauseMs);
    }
  }

  /** @param {Set<unknown>} announced */
  #notify(announced) {
    const found = this.#firings.filter(({ firing_id: id }) => announced.has(id));
    const named = found.filter(({ muted }) => !muted).map((firing) => this.#happening(firing));
    // Of a storm, the list has the newest only. All that are announced and are not in a list of all are of no concern.
    const beyond = this.#hasOlder ? announced.size - found.length : 0;
    if (!named.length) return;
    const count = named.length + beyond;
    this.#said.textContent = count > 1
      ? text("notice.fired_many", { n: number(count) })
      : text("notice.fired", { name: named[0].name });
    this.#page.news(count, named);
  }

  /**
   * @param {Firing} firing
   * @returns {Happening}
   */
  #happening({ firing_id: id, name, group, count, values }) {
    const line = values.length ? values.join(", ") : countWords(count);
    return { id, kind: "fired", name: visible(group ? `${name} (${group})` : name), line, open: this.#page.open };
  }

  #show() {
    if (this.isOpen && !document.hidden) this.#markSeen();
    const fresh = this.#firings.filter((firing) => this.#isNew(firing)).length;
    this.#count.hidden = !fresh;
    part("b", this.#count).textContent = number(fresh) + (fresh === this.#firings.length && this.#hasOlder ? "+" : "");
    if (this.isOpen) this.#list().then((list) => list?.show(this.#firings, this.#more));
  }

  /** @returns {"none" | "older" | "too many"} */
  get #more() {
    if (!this.#hasOlder) return "none";
    return this.#limit < LIMIT_MAX ? "older" : "too many";
  }

  /** Older ones are read with those that are shown: what has ended or is gone meanwhile is so in all of them. */
  #older() {
    this.#limit = Math.min(this.#limit + LIMIT, LIMIT_MAX);
    this.renew();
  }

  /** @param {Firing} firing */
  #isNew({ cursor, fired_at: at }) {
    const { fired: seen } = choices();
    if (typeof seen !== "string") return Date.now() - Date.parse(at) < NEW_MS;
    const { epoch } = split(cursor);
    if (epoch === split(seen).epoch) return !reaches(seen, cursor);
    // The log was restored since, or these are what fired before.
    return epoch === split(this.#firings[0].cursor).epoch;
  }

  #markSeen() {
    if (!this.#firings.length) return;
    const later = (/** @type {string} */ one, /** @type {string} */ other) => (reaches(other, one) ? other : one);
    const newest = this.#firings.map(({ cursor }) => cursor).reduce(later);
    if (choices().fired !== newest) choose({ fired: newest });
  }
}

/** @param {number} count */
export function countWords(count) {
  return count === 1 ? text("count.one") : count ? text("count.all", { n: number(count) }) : text("firing.silent");
}
