/** One chart: bars or lines over minutes as SVG, its legend, and the same figures as a table. */

import { part } from "./dom.js";

/**
 * @import { Series } from "./answers.d.ts"
 *
 * @typedef {{ name: string, values: (number | null)[] }} Line
 * @typedef {{ left: number, right: number, top: number, bottom: number }} Area
 * @typedef {(value: number) => number} Scale - from a figure to its height in the picture
 */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 150;
const MARGIN = { top: 8, right: 6, bottom: 20, left: 44 };
// More series would need more colours than can be distinguished.
const SERIES_LIMIT = 5;
const NUMBERS = new Intl.NumberFormat("en-GB");
const SHORT = new Intl.NumberFormat("en-GB", { notation: "compact" });

export class Chart {
  /** @type {string[]} */
  #minutes = [];
  /** @type {Line[] | null} */
  #series = null;

  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.name = figure.dataset.chart ?? "";
    this.kind = figure.dataset.kind;
    this.caption = part("figcaption", figure);
    this.legend = element("ul", { class: "legend" });
    this.drawing = element("div", { class: "drawing" });
    this.details = element("details");
    this.table = element("table");
    const frame = element("div", { class: "table", tabindex: "0", role: "region" }, this.table);
    frame.setAttribute("aria-labelledby", this.caption.id);
    this.details.append(element("summary", {}, `${this.caption.textContent} as a table`), frame);
    figure.append(this.legend, this.drawing, this.details);
    // Hidden tables are not kept up to date.
    this.details.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.draw()).observe(this.drawing);
  }

  /**
   * @param {string[]} minutes - ISO times
   * @param {Series} series
   */
  show(minutes, series) {
    this.#minutes = minutes.map((minute) => minute.slice(11, 16));
    this.#series = strongest(series);
    this.draw();
    this.fillTable();
  }

  draw() {
    const series = this.#series;
    if (!series) return;
    const width = Math.max(200, Math.floor(this.drawing.clientWidth));
    const top = niceTop(this.highest(series));
    const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img" });
    svg.setAttribute("aria-label", this.summary(series));
    const area = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
    const y = (/** @type {number} */ value) => area.bottom - ((area.bottom - area.top) * value) / top;
    const step = (area.right - area.left) / this.#minutes.length;
    svg.append(...grid(area, top, y), ...this.times(area, step));
    svg.append(...(this.kind === "bars" ? this.bars(series, area, step, y) : this.lines(series, area, step, y)));
    svg.append(...this.columns(series, area, step));
    this.drawing.replaceChildren(svg);
    this.legend.replaceChildren(
      ...series.map(({ name, values }, index) =>
        element("li", { class: `series-${index}` }, `${name}: ${NUMBERS.format(sum(values))}`),
      ),
    );
  }

  /** @param {Line[]} series */
  highest(series) {
    if (this.kind === "lines") return Math.max(0, ...series.flatMap(({ values }) => values.map(Number)));
    return Math.max(0, ...this.#minutes.map((_, at) => sum(series.map(({ values }) => values[at]))));
  }

  /**
   * @param {Line[]} series
   * @param {Area} area
   * @param {number} step
   * @param {Scale} y
   */
  bars(series, area, step, y) {
    return this.#minutes.flatMap((_, at) => {
      let below = 0;
      return series.map(({ values }, index) => {
        const from = y(below);
        below += values[at] ?? 0;
        const place = { x: area.left + at * step + 0.5, y: y(below) };
        const size = { width: Math.max(1, step - 1), height: from - y(below) };
        return shape("rect", { class: `bar series-${index}`, ...place, ...size });
      });
    });
  }

  /**
   * @param {Line[]} series
   * @param {Area} area
   * @param {number} step
   * @param {Scale} y
   */
  lines(series, area, step, y) {
    const last = this.#minutes.length - 1;
    const x = (/** @type {number} */ at) => area.left + (at + 0.5) * step;
    return series.flatMap(({ values }, index) => {
      const points = values.slice(0, last).map((value, at) => (value === null ? null : `${x(at)},${y(value)}`));
      const line = shape("polyline", { class: `line series-${index}`, points: points.filter(Boolean).join(" ") });
      // The minute that is not over yet is no part of the line: it would always seem to fall.
      const dot = shape("circle", { class: `dot series-${index}`, cx: x(last), cy: y(values[last] ?? 0), r: 2.5 });
      return [line, dot];
    });
  }

  /**
   * What the pointer shows of each minute.
   *
   * @param {Line[]} series
   * @param {Area} area
   * @param {number} step
   */
  columns(series, area, step) {
    return this.#minutes.map((minute, at) => {
      const figures = series.map(({ name, values }) => `${name} ${shown(values[at])}`);
      const size = { x: area.left + at * step, width: step, y: area.top, height: area.bottom - area.top };
      return shape("rect", { class: "column", ...size }, shape("title", {}, `${minute} ${figures.join(", ")}`));
    });
  }

  /**
   * @param {Area} area
   * @param {number} step
   */
  times(area, step) {
    const last = this.#minutes.length - 1;
    return [0, Math.round(last / 2), last].map((at, index) => {
      const anchor = ["start", "middle", "end"][index];
      const x = [area.left, area.left + (at + 0.5) * step, area.right][index];
      return shape("text", { class: "label", x, y: HEIGHT - 5, "text-anchor": anchor }, this.#minutes[at]);
    });
  }

  /**
   * The chart in a sentence for each series.
   *
   * @param {Line[]} series
   */
  summary(series) {
    const hour = `${this.caption.textContent}, ${this.#minutes[0]} to ${this.#minutes.at(-1)} UTC.`;
    const parts = series.map(({ name, values }) => {
      const most = Math.max(0, ...values.map(Number));
      const when = most ? `, most at ${this.#minutes[values.indexOf(most)]} with ${NUMBERS.format(most)}` : "";
      return `${name}: ${NUMBERS.format(sum(values))} in all${when}.`;
    });
    return [hour, ...(parts.length ? parts : ["None."])].join(" ");
  }

  fillTable() {
    const series = this.#series;
    if (!this.details.open || !series) return;
    const head = element("tr", {}, ...["Minute", ...series.map(({ name }) => name)].map(headCell));
    const rows = this.#minutes.map((minute, at) => {
      const cells = series.map(({ values }) => element("td", { class: "number" }, shown(values[at])));
      return element("tr", {}, element("th", { scope: "row" }, minute), ...cells);
    });
    this.table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows.reverse()));
  }
}

/**
 * The series with the largest sums, largest first, the others as one.
 *
 * @param {Series} series
 * @returns {Line[]}
 */
function strongest(series) {
  const all = Object.entries(series).map(([name, values]) => ({ name, values }));
  if (all.length <= SERIES_LIMIT) return all;
  all.sort((one, other) => sum(other.values) - sum(one.values));
  const rest = all.splice(SERIES_LIMIT - 1);
  const together = rest[0].values.map((_, at) => sum(rest.map(({ values }) => values[at])));
  return [...all, { name: "other", values: together }];
}

/**
 * @param {Area} area
 * @param {number} top
 * @param {Scale} y
 */
function grid(area, top, y) {
  return [0, top / 2, top].flatMap((value) => [
    shape("line", { class: "grid", x1: area.left, x2: area.right, y1: y(value), y2: y(value) }),
    shape("text", { class: "label", x: area.left - 6, y: y(value) + 4, "text-anchor": "end" }, SHORT.format(value)),
  ]);
}

/**
 * The next of 2, 4, 6, 8, 10, 20, 40 ...: half of it is a whole number too.
 *
 * @param {number} value
 */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [2, 4, 6, 8].map((step) => step * power).find((top) => top >= value) ?? 10 * power;
}

/** @param {(number | null)[]} values */
function sum(values) {
  return values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
}

/** @param {number | null} value */
function shown(value) {
  return value === null ? "not counted yet" : NUMBERS.format(value);
}

/**
 * @param {string} text
 * @param {number} index
 */
function headCell(text, index) {
  return element("th", { scope: "col", class: index ? "number" : "" }, text);
}

/** @typedef {Record<string, string | number>} Attributes */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} [attributes]
 * @param {(Node | string)[]} children
 */
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/**
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {(Node | string)[]} children
 */
function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/**
 * @template {Element} Kind
 * @param {Kind} node
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}
