/** The histogram as a picture with axes, and its range as something to choose: with the pointer or with keys. */

import { choices, choose } from "./choices.js";
import { element, part, partOf, slot } from "./dom.js";
import { SEVERITIES } from "./filter.js";
import { areas, scaleFor, timeTicks } from "./histogram-drawing.js";
import { text } from "./texts.js";
import { momentWords, number, seconds as secondsWords } from "./times.js";

/**
 * @import { Counts } from "./answers.d.ts"
 *
 * @typedef {object} Picture
 * @property {Counts[]} columns
 * @property {number} first - the number of the first column: its time in columns since 1970
 * @property {number} seconds - of a column
 * @property {number} unknown - so many columns at the beginning were not counted
 * @property {boolean} isHappened - columns are of when events happened
 * @property {boolean} isPart - and only those that were stored last were counted
 */

/** A press that moves less is none that chooses a range. */
const DRAG_PX = 4;
/** A screen reader could not follow a description that changes every second. */
const WORDS_MS = 15_000;

export class HistogramView {
  #figure = part("[data-picture=rate]");
  #plot = part(".plot", this.#figure);
  #svg = partOf(SVGSVGElement, "svg", this.#figure);
  #bubble = slot("bubble", this.#figure);
  #brush = slot("brush", this.#figure);
  #isLog = partOf(HTMLInputElement, "[data-switch=log-scale]", this.#figure);
  #zoomed;
  /** @type {Picture} */
  #picture = { columns: [], first: 0, seconds: 5, unknown: 0, isHappened: false, isPart: false };
  /**
   * The column that is pointed at, and the one at which a choice began; numbers as `first`.
   *
   * @type {number | null}
   */
  #at = null;
  /** @type {number | null} */
  #anchor = null;
  #pressedPx = 0;
  #wordsAtMs = 0;

  /** @param {(range: { from: string, to: string }) => void} zoomed */
  constructor(zoomed) {
    this.#zoomed = zoomed;
    const plot = this.#plot;
    this.#isLog.checked = choices()["log-scale"] === true;
    this.#isLog.addEventListener("change", () => {
      choose({ "log-scale": this.#isLog.checked });
      this.show(this.#picture);
    });
    plot.addEventListener("pointermove", (move) => this.#moved(move));
    plot.addEventListener("pointerdown", (press) => this.#pressed(press));
    plot.addEventListener("pointerup", (release) => this.#released(release));
    plot.addEventListener("pointerleave", () => this.#anchor === null && this.#point(null));
    plot.addEventListener("pointercancel", () => this.#leave());
    plot.addEventListener("blur", () => this.#leave());
    plot.addEventListener("keydown", (press) => this.#key(press));
  }

  /** Something else is shown from now on, so it is described at once. */
  restart() {
    this.#wordsAtMs = 0;
    this.#leave();
  }

  /** @param {Picture} picture */
  show(picture) {
    this.#picture = picture;
    const { columns, unknown } = picture;
    const sums = columns.map(sumOf);
    const highest = Math.max(0, ...sums);
    const scale = scaleFor(highest, this.#isLog.checked);
    this.#svg.replaceChildren(...areas(columns, scale, unknown));
    slot("rate-top", this.#figure).textContent = number(scale.top);
    slot("rate-middle", this.#figure).textContent = scale.top > 1 ? number(scale.middle, 1) : "";
    slot("rate-unit", this.#figure).textContent = this.#unit();
    slot("rate-now", this.#figure).textContent = text("rate.total", { n: number(sums.reduce((one, two) => one + two, 0)) });
    this.#showTicks();
    this.#showUnknown();
    this.#describe(sums, highest);
    this.#showPointed();
  }

  #unit() {
    const { columns, first, seconds, isHappened } = this.#picture;
    const bucket = secondsWords(seconds);
    if (!isHappened) return text("rate.unit", { bucket });
    const [from, to] = [this.#timeOf(first), this.#timeOf(first + columns.length)];
    return text("rate.unit_happened", { from, to, bucket });
  }

  #showTicks() {
    const { columns, first, seconds } = this.#picture;
    const [begin, end] = [first * seconds * 1000, (first + columns.length) * seconds * 1000];
    const ticks = timeTicks(begin, end, Math.max(2, Math.floor(this.#plot.clientWidth / 80)));
    const labels = ticks.map(({ ms, words }) => {
      const label = element("span", { textContent: words });
      label.style.left = `${(100 * (ms - begin)) / (end - begin)}%`;
      return label;
    });
    slot("time-axis", this.#figure).replaceChildren(...labels);
  }

  #showUnknown() {
    const { columns, unknown, isPart } = this.#picture;
    const place = slot("uncounted", this.#figure);
    const time = this.#timeOf(this.#picture.first + unknown);
    const all = unknown >= columns.length;
    const missing = unknown ? text(all ? "rate.uncounted" : "rate.partly", { time }) : "";
    const sentence = isPart ? text("rate.newest_only") : missing;
    if (place.textContent !== sentence) place.textContent = sentence;
    place.hidden = !sentence;
  }

  /**
   * @param {number[]} sums
   * @param {number} highest
   */
  #describe(sums, highest) {
    if (performance.now() < this.#wordsAtMs) return;
    this.#wordsAtMs = performance.now() + WORDS_MS;
    const { columns, first } = this.#picture;
    const sum = (/** @type {keyof Counts} */ level) => columns.reduce((before, column) => before + column[level], 0);
    const words = SEVERITIES.map((level) => `${text(`severity.${level}`)} ${number(sum(level))}`).join(", ");
    const [from, to] = [this.#timeOf(first), this.#timeOf(first + columns.length)];
    const most = { n: number(highest), time: this.#timeOf(first + sums.indexOf(highest)) };
    const more = highest ? ` ${text("rate.most", most)}` : "";
    slot("rate-words", this.#figure).textContent = `${text("rate.words", { from, to, words })}${more}`;
  }

  /** @param {number} index */
  #timeOf(index) {
    return momentWords(index * this.#picture.seconds * 1000);
  }

  /** @param {PointerEvent} move */
  #indexAt({ clientX }) {
    const { left, width } = this.#plot.getBoundingClientRect();
    const { columns, first } = this.#picture;
    const at = Math.floor(((clientX - left) / width) * columns.length);
    return first + Math.max(0, Math.min(columns.length - 1, at));
  }

  /** @param {PointerEvent} move */
  #moved(move) {
    this.#point(this.#indexAt(move));
  }

  /** @param {PointerEvent} press */
  #pressed(press) {
    if (press.button !== 0) return;
    this.#plot.setPointerCapture(press.pointerId);
    this.#pressedPx = press.clientX;
    this.#anchor = this.#indexAt(press);
    this.#point(this.#anchor);
  }

  /** @param {PointerEvent} release */
  #released(release) {
    if (this.#anchor === null) return;
    this.#at = this.#indexAt(release);
    if (Math.abs(release.clientX - this.#pressedPx) >= DRAG_PX) this.#zoom();
    else this.#anchor = null;
    this.#showPointed();
  }

  /** @param {KeyboardEvent} press */
  #key(press) {
    const { columns, first } = this.#picture;
    const last = first + columns.length - 1;
    const here = this.#at ?? last + 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: here - 1, ArrowRight: here + 1, PageUp: here - 10, PageDown: here + 10, Home: first,
      End: last };
    if (press.ctrlKey || press.metaKey || press.altKey) return;
    if (press.key in steps) {
      if (!press.shiftKey) this.#anchor = null;
      else this.#anchor ??= Math.min(here, last);
      this.#point(Math.max(first, Math.min(last, steps[press.key])));
    } else if (press.key === "Enter" && this.#at !== null) {
      this.#anchor ??= this.#at;
      this.#zoom();
    } else if (press.key === "Escape" && this.#at !== null) this.#leave();
    else return;
    press.preventDefault();
    press.stopPropagation();
  }

  #zoom() {
    const [from, to] = [Math.min(this.#anchor ?? 0, this.#at ?? 0), Math.max(this.#anchor ?? 0, this.#at ?? 0) + 1];
    const iso = (/** @type {number} */ index) => new Date(index * this.#picture.seconds * 1000).toISOString();
    this.#zoomed({ from: iso(from), to: iso(to) });
    this.#leave();
  }

  #leave() {
    this.#anchor = null;
    this.#point(null);
  }

  /** @param {number | null} index */
  #point(index) {
    this.#at = index;
    this.#showPointed();
  }

  #showPointed() {
    const { columns, first } = this.#picture;
    const at = this.#at === null ? null : Math.max(0, Math.min(columns.length - 1, this.#at - first));
    const begun = this.#anchor === null ? at : Math.max(0, Math.min(columns.length - 1, this.#anchor - first));
    this.#bubble.hidden = this.#brush.hidden = at === null || begun === null || !columns.length;
    this.#plot.setAttribute("aria-valuemax", String(Math.max(0, columns.length - 1)));
    this.#plot.setAttribute("aria-valuenow", String(at ?? columns.length - 1));
    if (at === null || begun === null) return this.#plot.setAttribute("aria-valuetext", text("rate.none"));
    const [from, to] = [Math.min(at, begun), Math.max(at, begun) + 1];
    const share = (/** @type {number} */ column) => `${(100 * column) / columns.length}%`;
    [this.#brush.style.left, this.#brush.style.width] = [share(from), share(to - from)];
    this.#bubble.style.left = share((from + to) / 2);
    this.#bubble.dataset.side = (from + to) / 2 > columns.length / 2 ? "left" : "right";
    const words = this.#wordsOf(from, to);
    this.#bubble.textContent = words;
    return this.#plot.setAttribute("aria-valuetext", words);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  #wordsOf(from, to) {
    const { columns, first, unknown } = this.#picture;
    const chosen = columns.slice(from, to);
    const counts = SEVERITIES.toReversed().map((level) => ({
      level,
      count: chosen.reduce((sum, column) => sum + column[level], 0),
    }));
    const seen = counts.filter(({ count }) => count);
    const words = seen.map(({ level, count }) => `${text(`severity.${level}`)} ${number(count)}`).join(", ");
    const time = `${this.#timeOf(first + from)} – ${this.#timeOf(first + to)}`;
    return `${time}: ${words || (to <= unknown ? text("rate.uncounted") : text("rate.nothing"))}`;
  }
}

/** @param {Counts} column */
function sumOf(column) {
  return SEVERITIES.reduce((sum, level) => sum + column[level], 0);
}
