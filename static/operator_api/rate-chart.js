/** Events per second by severity over the last 15 minutes, live: stacked areas, and the same in words. */

import { split } from "../events/cursors.js";
import { part, partOf, slot } from "./dom.js";
import { SEVERITIES } from "./filter.js";
import { text } from "./texts.js";
import { hoursAndMinutes, number } from "./times.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Counts } from "./answers.d.ts"
 */

const SPAN_SECONDS = 900;
const BUCKET_SECONDS = 5;
const BUCKETS = SPAN_SECONDS / BUCKET_SECONDS;
const DRAW_MS = 1_000;
/** Counting in the page is quick but knows only what it has seen; the log is asked again at this pace. */
const REFRESH_MS = 60_000;
/** A screen reader could not follow a description that changes every second. */
const WORDS_MS = 15_000;
const [WIDTH, HEIGHT] = [600, 100];
/** @type {Counts} */
const EMPTY = { info: 0, warn: 0, error: 0, critical: 0 };
const SVG = "http://www.w3.org/2000/svg";

export class RateChart {
  #api;
  #figure = part("[data-picture=rate]");
  #svg = partOf(SVGSVGElement, "svg", this.#figure);
  /** @type {Map<number, Counts>} */
  #buckets = new Map();
  /** Up to where the log had counted when it was asked last. */
  #counted = split(null);
  /**
   * What comes while the log is asked; null while it is not.
   *
   * @type {{ event: OperatorEvent, cursor: string }[] | null}
   */
  #meanwhile = null;
  #aheadMs = 0;
  /** @type {number | undefined} */
  #timer;
  #refreshAtMs = 0;
  #wordsAtMs = 0;

  /** @param {import("./requests.js").ConsoleApi} api */
  constructor(api) {
    this.#api = api;
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
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
    const bucket = this.#bucket(Math.floor(Date.parse(event.created_at) / 1000 / BUCKET_SECONDS));
    bucket[event.severity] += 1;
  }

  /** Reads what the log has counted, and keeps the picture moving. */
  async start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), DRAW_MS);
    await this.#refresh();
  }

  stop() {
    clearInterval(this.#timer);
  }

  #tick() {
    if (document.hidden) return;
    if (performance.now() >= this.#refreshAtMs) this.#refresh();
    this.#draw();
  }

  async #refresh() {
    this.#refreshAtMs = performance.now() + REFRESH_MS;
    this.#meanwhile = [];
    try {
      const query = { seconds: SPAN_SECONDS, bucket: BUCKET_SECONDS };
      const { body, aheadMs } = await this.#api.getWithClock("/events/stats", query);
      this.#aheadMs = aheadMs;
      for (const { start, ...counts } of body.buckets) {
        this.#buckets.set(Math.round(Date.parse(start) / 1000 / BUCKET_SECONDS), counts);
      }
      this.#counted = split(body.cursor);
      const meanwhile = this.#meanwhile ?? [];
      this.#meanwhile = null;
      for (const { event, cursor } of meanwhile) this.count(event, cursor);
    } catch {
      // The page shows already that the server is away; the picture goes on with what the page has counted.
      this.#meanwhile = null;
    }
    this.#draw();
  }

  /** @param {number} index */
  #bucket(index) {
    const bucket = this.#buckets.get(index) ?? { ...EMPTY };
    this.#buckets.set(index, bucket);
    return bucket;
  }

  #draw() {
    // Columns are times of day, as the server counts them.
    const newest = Math.floor((Date.now() + this.#aheadMs) / 1000 / BUCKET_SECONDS);
    for (const index of this.#buckets.keys()) if (index <= newest - BUCKETS) this.#buckets.delete(index);
    const columns = Array.from({ length: BUCKETS }, (_, at) => this.#buckets.get(newest - BUCKETS + 1 + at) ?? EMPTY);
    const highest = Math.max(...columns.map(total));
    const top = niceTop(highest / BUCKET_SECONDS) * BUCKET_SECONDS;
    let ground = columns.map(() => 0);
    const shapes = SEVERITIES.map((level) => {
      const roof = ground.map((below, at) => below + columns[at][level]);
      const shape = area(level, ground, roof, top);
      ground = roof;
      return shape;
    });
    this.#svg.replaceChildren(...shapes);
    slot("rate-top", this.#figure).textContent = text("rate.top", { n: number(top / BUCKET_SECONDS) });
    // The last bucket is not over yet.
    this.#describe(columns, total(columns[BUCKETS - 2]) / BUCKET_SECONDS, highest, newest);
  }

  /**
   * @param {Counts[]} columns
   * @param {number} now - events per second
   * @param {number} highest - events of the highest column
   * @param {number} newest - index of the last column's bucket
   */
  #describe(columns, now, highest, newest) {
    slot("rate-now", this.#figure).textContent = text("rate.now", { n: number(now, 1) });
    if (performance.now() < this.#wordsAtMs) return;
    this.#wordsAtMs = performance.now() + WORDS_MS;
    const at = newest - BUCKETS + 1 + columns.findIndex((column) => total(column) === highest);
    const sumOf = (/** @type {keyof Counts} */ level) => columns.reduce((sum, column) => sum + column[level], 0);
    const words = SEVERITIES.map((level) => `${text(`severity.${level}`)} ${number(sumOf(level))}`).join(", ");
    const when = hoursAndMinutes(at * BUCKET_SECONDS * 1000);
    const most = highest ? ` ${text("rate.most", { n: number(highest / BUCKET_SECONDS, 1), time: when })}` : "";
    this.#svg.setAttribute("aria-label", `${text("rate.words", { n: number(now, 1), words })}${most}`);
  }
}

/** @param {Counts} column */
function total(column) {
  return SEVERITIES.reduce((sum, level) => sum + column[level], 0);
}

/**
 * The steps between two lines, as one path.
 *
 * @param {string} level
 * @param {number[]} ground
 * @param {number[]} roof
 * @param {number} top
 */
function area(level, ground, roof, top) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", `area ${level}`);
  const step = WIDTH / BUCKETS;
  const y = (/** @type {number} */ value) => (HEIGHT - (HEIGHT * value) / top).toFixed(1);
  const parts = roof.map((value, at) => {
    if (value === ground[at]) return "";
    const [left, right] = [(at * step + 0.3).toFixed(1), ((at + 1) * step - 0.3).toFixed(1)];
    return `M${left},${y(ground[at])}V${y(value)}H${right}V${y(ground[at])}Z`;
  });
  path.setAttribute("d", parts.join(""));
  return path;
}

/**
 * The next of 1, 2, 5, 10, 20 ...: a scale that does not change with every event.
 *
 * @param {number} value
 */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value) ?? 1;
}
