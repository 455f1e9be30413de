/** Events per second by severity over the last 15 minutes, live: stacked areas, and the same in words. */

import { hoursAndMinutes, number } from "./clock.js";
import { split } from "../events/cursors.js";
import { SEVERITIES } from "./filters.js";
import { text } from "./texts.js";

const SPAN_SECONDS = 900;
const BUCKET_SECONDS = 5;
const BUCKETS = SPAN_SECONDS / BUCKET_SECONDS;
const DRAW_MS = 1_000;
/** Counting in the page is quick but knows only what it has seen; the log is asked again at this pace. */
const REFRESH_MS = 60_000;
/** Words that change all the time cannot be listened to. */
const WORDS_MS = 15_000;
const [WIDTH, HEIGHT] = [600, 100];
const SVG = "http://www.w3.org/2000/svg";

export class RateChart {
  #api;
  #figure = document.querySelector("[data-picture=rate]");
  #svg = this.#figure.querySelector("svg");
  #buckets = new Map();
  /** Up to where the log had counted when it was asked last. */
  #counted = { epoch: null, seq: 0 };
  /** What comes while the log is asked; null while it is not. */
  #meanwhile = null;
  #aheadMs = 0;
  #timer = null;
  #refreshAtMs = 0;
  #wordsAtMs = 0;

  constructor(api) {
    this.#api = api;
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  }

  /** One event of the stream, at its cursor. After a break it may be one that the log has counted meanwhile. */
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
      const meanwhile = this.#meanwhile;
      this.#meanwhile = null;
      for (const { event, cursor } of meanwhile) this.count(event, cursor);
    } catch {
      // The state of the connection says it already; the picture goes on with what the page has counted.
      this.#meanwhile = null;
    }
    this.#draw();
  }

  #bucket(number) {
    if (!this.#buckets.has(number)) this.#buckets.set(number, Object.fromEntries(SEVERITIES.map((level) => [level, 0])));
    return this.#buckets.get(number);
  }

  #draw() {
    // Columns are times of day, as the server counts them.
    const newest = Math.floor((Date.now() + this.#aheadMs) / 1000 / BUCKET_SECONDS);
    for (const number of this.#buckets.keys()) if (number <= newest - BUCKETS) this.#buckets.delete(number);
    const columns = Array.from({ length: BUCKETS }, (_, at) => this.#buckets.get(newest - BUCKETS + 1 + at) ?? {});
    const highest = Math.max(...columns.map((column) => total(column)));
    const top = niceTop(highest / BUCKET_SECONDS) * BUCKET_SECONDS;
    let ground = columns.map(() => 0);
    const shapes = SEVERITIES.map((level) => {
      const roof = ground.map((below, at) => below + (columns[at][level] ?? 0));
      const shape = area(level, ground, roof, top);
      ground = roof;
      return shape;
    });
    this.#svg.replaceChildren(...shapes);
    this.#figure.querySelector("[data-slot=rate-top]").textContent = text("rate.top", { n: number(top / BUCKET_SECONDS) });
    // The bucket of now is not over yet.
    this.#say(columns, total(columns.at(-2)) / BUCKET_SECONDS, highest, newest);
  }

  #say(columns, now, highest, newest) {
    this.#figure.querySelector("[data-slot=rate-now]").textContent = text("rate.now", { n: number(now, 1) });
    if (performance.now() < this.#wordsAtMs) return;
    this.#wordsAtMs = performance.now() + WORDS_MS;
    const at = newest - BUCKETS + 1 + columns.findIndex((column) => total(column) === highest);
    const sums = SEVERITIES.map((level) => [level, columns.reduce((sum, column) => sum + (column[level] ?? 0), 0)]);
    const words = sums.map(([level, sum]) => `${text(`severity.${level}`)} ${number(sum)}`).join(", ");
    const when = hoursAndMinutes(at * BUCKET_SECONDS * 1000);
    const most = highest ? ` ${text("rate.most", { n: number(highest / BUCKET_SECONDS, 1), time: when })}` : "";
    this.#svg.setAttribute("aria-label", `${text("rate.words", { n: number(now, 1), words })}${most}`);
  }
}

function total(column) {
  return SEVERITIES.reduce((sum, level) => sum + (column[level] ?? 0), 0);
}

/** The steps between two lines, as one path. */
function area(level, ground, roof, top) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", `area ${level}`);
  const step = WIDTH / BUCKETS;
  const y = (value) => (HEIGHT - (HEIGHT * value) / top).toFixed(1);
  const parts = roof.map((value, at) => {
    if (value === ground[at]) return "";
    const [left, right] = [(at * step + 0.3).toFixed(1), ((at + 1) * step - 0.3).toFixed(1)];
    return `M${left},${y(ground[at])}V${y(value)}H${right}V${y(ground[at])}Z`;
  });
  path.setAttribute("d", parts.join(""));
  return path;
}

/** The next of 1, 2, 5, 10, 20 ...: a scale that does not change with every event. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value) ?? 1;
}
