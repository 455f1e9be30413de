/** Shapes and ticks of the histogram. */

import { SEVERITIES } from "./filter.js";
import { dayWords, hoursAndMinutes, momentWords, zoneOffsetMs } from "./times.js";

/** @import { Counts } from "./answers.d.ts" */

const [WIDTH, HEIGHT] = [600, 100];
const SVG = "http://www.w3.org/2000/svg";
const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const STEPS = [1, 2, 5, 10, 15, 30].map((step) => step * SECOND)
  .concat([1, 2, 5, 10, 15, 30].map((step) => step * MINUTE), [1, 2, 3, 6, 12].map((step) => step * HOUR),
    [1, 2, 5, 10, 30, 90, 365, 1_825, 3_650, 18_250, 36_500, 182_500, 365_000].map((step) => step * DAY));

/**
 * How high a count stands, as a part of the picture. Logarithmic, one event is seen beside ten thousand; then the heights
 * of whole columns compare, and not those of severities within them.
 *
 * @typedef {{ top: number, middle: number, share: (count: number) => number }} Scale
 */

/**
 * @param {number} highest
 * @param {boolean} isLog
 * @returns {Scale}
 */
export function scaleFor(highest, isLog) {
  if (!isLog) {
    const top = niceTop(highest);
    return { top, middle: top / 2, share: (count) => count / top };
  }
  const top = 10 ** Math.ceil(Math.log10(Math.max(highest, 10)));
  const share = (/** @type {number} */ count) => Math.log1p(count) / Math.log1p(top);
  return { top, middle: Math.round(Math.expm1(Math.log1p(top) / 2)), share };
}

/**
 * A path for each severity, one on top of the other, and the part that was not counted.
 *
 * @param {Counts[]} columns
 * @param {Scale} scale
 * @param {number} unknown - so many columns at the beginning
 */
export function areas(columns, scale, unknown) {
  let ground = columns.map(() => 0);
  const shapes = SEVERITIES.map((level) => {
    const roof = ground.map((below, at) => below + columns[at][level]);
    const shape = area(level, ground, roof, scale);
    ground = roof;
    return shape;
  });
  const veil = document.createElementNS(SVG, "rect");
  veil.setAttribute("class", "uncounted");
  veil.setAttribute("width", String((WIDTH * unknown) / Math.max(1, columns.length)));
  veil.setAttribute("height", String(HEIGHT));
  return [veil, ...shapes];
}

/**
 * The steps between two lines, as one path.
 *
 * @param {string} level
 * @param {number[]} ground
 * @param {number[]} roof
 * @param {Scale} scale
 */
function area(level, ground, roof, { share }) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", `area ${level}`);
  const step = WIDTH / roof.length;
  const y = (/** @type {number} */ value) => (HEIGHT - HEIGHT * share(value)).toFixed(1);
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

/**
 * Round times between two moments, in milliseconds since 1970.
 *
 * @param {number} begin
 * @param {number} end
 * @param {number} limit - so many at most
 */
export function timeTicks(begin, end, limit) {
  const step = STEPS.find((each) => (end - begin) / each <= limit) ?? STEPS.at(-1) ?? DAY;
  const wordsOf = step >= DAY ? dayWords : step >= MINUTE ? hoursAndMinutes : momentWords;
  // Hours and days are round where the reader is.
  const offset = zoneOffsetMs(begin);
  const ticks = [];
  for (let ms = Math.ceil((begin + offset) / step) * step - offset; ms < end; ms += step) {
    ticks.push({ ms, words: wordsOf(ms) });
  }
  return ticks;
}
