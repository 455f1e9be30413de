/** From publication to the screen, of the latest events, as a line and in words. */

import { part, partOf, slot } from "./dom.js";
import { text } from "./texts.js";
import { number } from "./times.js";

const POINTS = 60;
const DRAW_MS = 1_000;
const [WIDTH, HEIGHT] = [180, 44];

export class LatencyLine {
  #figure = part("[data-picture=latency]");
  #svg = partOf(SVGSVGElement, "svg", this.#figure);
  #line = partOf(SVGPolylineElement, "polyline", this.#svg);
  /** @type {number | null} */
  #worst = null;
  /** @type {number[]} */
  #points = [];

  constructor() {
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    setInterval(() => this.#draw(), DRAW_MS);
  }

  /**
   * An event that arrived live, `lagMs` after it was published; a picture later it is on the screen.
   *
   * @param {number | null} lagMs
   */
  note(lagMs) {
    // A hidden page draws nothing, so it would measure how long it was hidden.
    if (lagMs === null || document.hidden) return;
    const arrivedAtMs = performance.now();
    requestAnimationFrame(() => {
      const onScreenMs = Math.max(0, lagMs) + performance.now() - arrivedAtMs;
      this.#worst = Math.max(this.#worst ?? 0, onScreenMs);
    });
  }

  /** One point for each second in which something came: the slowest of it. */
  #draw() {
    if (this.#worst === null) return;
    const last = this.#worst;
    this.#points = [...this.#points, last].slice(-POINTS);
    this.#worst = null;
    const top = Math.max(100, ...this.#points);
    const x = (/** @type {number} */ at) => (WIDTH * at) / (POINTS - 1);
    const y = (/** @type {number} */ value) => HEIGHT - 1 - ((HEIGHT - 2) * value) / top;
    const first = POINTS - this.#points.length;
    const line = this.#points.map((value, at) => `${x(first + at).toFixed(1)},${y(value).toFixed(1)}`);
    this.#line.setAttribute("points", line.length > 1 ? line.join(" ") : `${x(first - 1)},${y(0)} ${line}`);
    const sorted = [...this.#points].sort((one, other) => one - other);
    const [middle, most] = [sorted[sorted.length >> 1], sorted[sorted.length - 1]];
    const figures = { n: number(last), middle: number(middle), most: number(most) };
    slot("latency", this.#figure).textContent = text("latency.now", figures);
    this.#svg.setAttribute("aria-label", text("latency.words", figures));
  }
}
