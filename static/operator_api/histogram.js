/** Events by time and severity of what is asked for, counted by the log and then live. Draws nothing itself. */

import { split } from "../events/cursors.js";
import { ChartAxis } from "./chart-axis.js";
import { admits, EVERYTHING, logQuery, SEVERITIES } from "./filter.js";
import { HistogramView } from "./histogram-view.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Counts } from "./answers.d.ts"
 * @import { Filter } from "./filter.js"
 */

const BUCKETS = 180;
/** What is shown where no beginning is asked for. */
const USUAL_FROM = "-15m";
/** @type {Record<string, number>} */
const SECONDS_OF = { s: 1, m: 60, h: 3600, d: 86400 };
const STEPS_SECONDS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 21600, 43200, 86400];
const DRAW_MS = 1_000;
/** Counting in the page is quick but knows only what it has seen; the log is asked again at this pace. */
const REFRESH_MS = 60_000;
/** A count that failed is asked for again sooner: a server that is full says so. */
const RETRY_MS = 2_000;
/** Events that happened before what is shown, or long after it, are shown when the log is asked again: so soon. */
const REACH_MS = 10_000;
/** @type {Counts} */
const EMPTY = { info: 0, warn: 0, error: 0, critical: 0 };

export class Histogram {
  #api;
  #view;
  #axis = new ChartAxis(() => this.ask(this.#filter));
  #filter = EVERYTHING;
  #isWanted = admits(EVERYTHING);
  /** Whether what was counted last is of another question than what is asked now. */
  #isOther = false;
  /** @type {Map<number, Counts>} */
  #buckets = new Map();
  #seconds = 5;
  /** The first column and how many there are; the first one moves with the time where only the end is now. */
  #first = 0;
  #columns = BUCKETS;
  #complete = true;
  /** Something else was asked for, and no answer came yet. Until then the picture stays as it is. */
  #isWaiting = false;
  /** Up to where the log had counted when it was asked last. */
  #counted = split(null);
  /**
   * What comes while the log is asked; null while it is not.
   *
   * @type {{ event: OperatorEvent, cursor: string }[] | null}
   */
  #meanwhile = null;
  #asking = new AbortController();
  #aheadMs = 0;
  /** @type {number | undefined} */
  #timer;
  #refreshAtMs = 0;

  /**
   * @param {Pick<import("./requests.js").ConsoleApi, "getWithClock">} api
   * @param {(range: { from: string, to: string }) => void} zoomed
   */
  constructor(api, zoomed) {
    this.#api = api;
    this.#view = new HistogramView((range) => (this.#axis.isHappened ? this.#axis.zoom(range) : zoomed(range)));
  }

  /**
   * Counts something else from now on.
   *
   * @param {Filter} filter
   */
  ask(filter) {
    this.#filter = filter;
    this.#isWanted = admits(filter);
    this.#isOther = true;
    this.#view.restart();
    if (this.#timer === undefined) return;
    this.#isWaiting = true;
    return this.#refresh();
  }

  /**
   * One event of the stream, at its cursor. After a break it may be one that the log has counted meanwhile.
   *
   * @param {OperatorEvent} event
   * @param {string} cursor
   */
  count(event, cursor) {
    this.#meanwhile?.push({ event, cursor });
    if (split(cursor).epoch === this.#counted.epoch && event.seq <= this.#counted.seq) return;
    if (!this.#isWanted(event)) return;
    const index = Math.floor(this.#axis.momentOf(event) / 1000 / this.#seconds);
    if (Number.isNaN(index)) return;
    if (this.#axis.isHappened) this.#reach(index);
    const bucket = this.#buckets.get(index) ?? { ...EMPTY };
    bucket[event.severity] += 1;
    this.#buckets.set(index, bucket);
  }

  /** Reads what the log has counted, and keeps the picture moving. */
  async start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), DRAW_MS);
    await this.#refresh();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  redraw() {
    this.#draw();
  }

  get #slides() {
    const { from, to } = this.#filter;
    return !this.#axis.isHappened && !to && (!from || from.startsWith("-"));
  }

  #tick() {
    if (document.hidden) return;
    this.#axis.offerIfImported();
    // What has an end does not change any more.
    if (performance.now() >= this.#refreshAtMs && !this.#filter.to) this.#refresh();
    this.#draw();
  }

  async #refresh() {
    this.#refreshAtMs = performance.now() + REFRESH_MS;
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    this.#meanwhile = [];
    try {
      const range = this.#axis.isHappened ? this.#filter : { ...this.#filter, ...this.#range() };
      const axis = this.#axis.isHappened ? this.#axis.query : {};
      const query = { ...logQuery(range), ...axis, buckets: this.#axis.isHappened ? BUCKETS : this.#columns };
      const { body, aheadMs } = await this.#api.getWithClock("/events/stats", query, { signal });
      if (signal.aborted) return;
      this.#aheadMs = aheadMs;
      this.#isOther = this.#isWaiting = false;
      this.#take(body);
      const meanwhile = this.#meanwhile ?? [];
      this.#meanwhile = null;
      for (const { event, cursor } of meanwhile) this.count(event, cursor);
    } catch {
      if (signal.aborted) return;
      // The page shows already that the server is away; the picture goes on with what the page has counted, unless that
      // was something else.
      this.#meanwhile = null;
      this.#refreshAtMs = performance.now() + RETRY_MS * (1 + Math.random());
      this.#isWaiting = false;
      if (this.#isOther) this.#buckets.clear();
      if (this.#isOther) this.#complete = false;
    }
    this.#draw();
  }

  /** What is to be counted. Where the end is now, columns begin at round times, so that they stay while they move on. */
  #range() {
    const { from, to } = this.#filter;
    this.#columns = BUCKETS;
    if (!this.#slides) return { from, to };
    const [, count, unit] = /^-(\d+)(.)$/.exec(from || USUAL_FROM) ?? [];
    const span = Number(count) * SECONDS_OF[unit];
    const step = STEPS_SECONDS.find((each) => span / each <= BUCKETS) ?? span / BUCKETS;
    this.#columns = Math.ceil(span / step) + 1;
    const end = Math.floor((Date.now() + this.#aheadMs) / 1000 / step + 1) * step;
    const iso = (/** @type {number} */ moment) => new Date(moment * 1000).toISOString();
    return { from: iso(end - this.#columns * step), to: iso(end) };
  }

  /** @param {import("./answers.d.ts").Stats} body */
  #take(body) {
    this.#seconds = body.bucket;
    this.#buckets.clear();
    for (const { start, ...counts } of body.buckets) {
      this.#buckets.set(Math.round(Date.parse(start) / 1000 / body.bucket), counts);
    }
    // Where nothing has happened there is no bucket.
    this.#first = body.buckets.length ? Math.min(...this.#buckets.keys()) : Math.floor(this.#nowSeconds / this.#seconds);
    this.#columns = this.#slides ? this.#columns : Math.max(1, body.buckets.length);
    this.#complete = body.complete;
    this.#counted = split(body.cursor);
  }

  get #nowSeconds() {
    return (Date.now() + this.#aheadMs) / 1000;
  }

  /**
   * Makes room for an event that happened later than all before.
   *
   * @param {number} index - of its column
   */
  #reach(index) {
    const columns = index - this.#first + 1;
    if (columns > 0 && columns <= 2 * BUCKETS && this.#axis.isOpen) this.#columns = Math.max(this.#columns, columns);
    else if (columns <= 0 || columns > this.#columns) {
      this.#refreshAtMs = Math.min(this.#refreshAtMs, performance.now() + REACH_MS);
    }
  }

  #draw() {
    if (this.#isWaiting) return;
    const { isHappened } = this.#axis;
    // Columns are times of day, as the server counts them.
    const newest = Math.floor(this.#nowSeconds / this.#seconds);
    if (this.#slides) {
      this.#first = newest - this.#columns + 1;
      for (const index of this.#buckets.keys()) if (index < this.#first) this.#buckets.delete(index);
    } else if (!this.#filter.to && !isHappened) {
      this.#columns = Math.max(this.#columns, newest - this.#first + 1);
    }
    const columns = Array.from({ length: this.#columns }, (_, at) => this.#buckets.get(this.#first + at) ?? EMPTY);
    // Counting goes from the newest back: before the first event that was found, nothing is known.
    const counted = this.#complete || isHappened ? 0 : columns.findIndex(total);
    this.#view.show({
      columns,
      first: this.#first,
      seconds: this.#seconds,
      unknown: counted < 0 ? this.#columns : counted,
      isHappened,
      isPart: isHappened && !this.#complete,
    });
  }
}

/** @param {Counts} column */
export function total(column) {
  return SEVERITIES.reduce((sum, level) => sum + column[level], 0);
}
