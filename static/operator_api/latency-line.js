/** From publication to the screen, of the latest events, as a line and in words. */

import { number } from "./clock.js";
import { text } from "./texts.js";

const POINTS = 60;
const DRAW_MS = 1_000;
const [WIDTH, HEIGHT] = [180, 44];

export class LatencyLine {
  #figure = document.querySelector("[data-picture=latency]");
  #svg = this.#figure.querySelector("svg");
  #line = this.#svg.querySelector("polyline");
  #worst = null;
  #points = [];

  constructor() {
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    setInterval(() => this.#draw(), DRAW_MS);
  }

  /** An event that arrived live, `lagMs` after it was published; a picture later it is on the screen. */
  note(lagMs) {
    // A page that is not looked at draws nothing, and what it would measure is that.
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
    this.#points = [...this.#points, this.#worst].slice(-POINTS);
    this.#worst = null;
    const top = Math.max(100, ...this.#points);
    const x = (at) => (WIDTH * at) / (POINTS - 1);
    const y = (value) => HEIGHT - 1 - ((HEIGHT - 2) * value) / top;
    const first = POINTS - this.#points.length;
    const line = this.#points.map((value, at) => `${x(first + at).toFixed(1)},${y(value).toFixed(1)}`);
    this.#line.setAttribute("points", line.length > 1 ? line.join(" ") : `${x(first - 1)},${y(0)} ${line}`);
    const [last, sorted] = [this.#points.at(-1), [...this.#points].sort((one, other) => one - other)];
    const figures = { n: number(last), middle: number(sorted[sorted.length >> 1]), most: number(sorted.at(-1)) };
    this.#figure.querySelector("[data-slot=latency]").textContent = text("latency.now", figures);
    this.#svg.setAttribute("aria-label", text("latency.words", figures));
  }
}
