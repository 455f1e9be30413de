/** What a watch would have done in the last seven days: in words, and its places beside the events that pass. */

import { element, partOf, slot } from "../dom.js";
import { timeTicks } from "../histogram-drawing.js";
import { ApiError } from "../requests.js";
import { text } from "../texts.js";
import { minuteTime, number } from "../times.js";

/** @import { RefusalBody, Stats } from "../answers.d.ts" */

const DAYS = 7;
const SPAN_MS = DAYS * 86_400_000;
const [WIDTH, HEIGHT] = [600, 60];
/** Columns of two hours. */
const COLUMNS = 84;
const TICKS = 7;
/** What is left above the columns for the marks of firings. */
const MARKS = 12;

export class WatchPreview {
  #api;
  #wrong;
  #figure = slot("watch-preview");
  #words = slot("watch-preview-words");
  #axis = slot("watch-axis");
  /** The newest question; older answers do not count. */
  #asked = 0;

  /**
   * @param {import("../requests.js").ConsoleApi} api
   * @param {(errors: NonNullable<RefusalBody["errors"]>) => void} wrong - what is wrong with the fields; empty: nothing
   */
  constructor(api, wrong) {
    this.#api = api;
    this.#wrong = wrong;
  }

  /** @param {{ query: string, [field: string]: unknown }} definition - a watch, as the API takes it */
  async show(definition) {
    const asked = (this.#asked += 1);
    this.#words.textContent = text("preview.trying");
    try {
      const query = definition.query && { q: definition.query };
      const [found, stats] = await Promise.all([
        this.#api.post("/watches/preview", definition),
        this.#api.get("/events/stats", { ...query, from: `-${DAYS}d`, buckets: COLUMNS }),
      ]);
      if (asked !== this.#asked) return;
      this.#wrong({});
      this.#words.textContent = sentence(found);
      this.#draw(stats, found.at.map(Date.parse));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (asked !== this.#asked) return;
      this.#wrong(error.body.errors ?? {});
      this.#words.textContent = error.status === 422 ? text("preview.wrong") : error.sentence;
      this.#draw({ buckets: [], bucket: 1 }, []);
    }
  }

  /**
   * @param {Pick<Stats, "buckets" | "bucket">} stats
   * @param {number[]} firings
   */
  #draw({ buckets, bucket }, firings) {
    const end = Date.now();
    const begin = end - SPAN_MS;
    const x = (/** @type {number} */ ms) => ((WIDTH * (ms - begin)) / SPAN_MS).toFixed(1);
    const sums = buckets.map(({ start, info, warn, error, critical }) => ({
      ms: Date.parse(start),
      sum: info + warn + error + critical,
    }));
    const highest = Math.max(1, ...sums.map(({ sum }) => sum));
    const bars = sums.filter(({ sum }) => sum > 0).map(({ ms, sum }) =>
      `M${x(ms)},${HEIGHT}V${(HEIGHT - ((HEIGHT - MARKS) * sum) / highest).toFixed(1)}H${x(ms + bucket * 1000)}V${HEIGHT}Z`
    );
    // A small triangle that points down at the time.
    const marks = firings.map((ms) => `M${x(ms)},${MARKS - 2}l-4,-9h8Z`);
    partOf(SVGPathElement, ".bars", this.#figure).setAttribute("d", bars.join(""));
    partOf(SVGPathElement, ".fired-at", this.#figure).setAttribute("d", marks.join(""));
    this.#axis.replaceChildren(...timeTicks(begin, end, TICKS).map(({ ms, words }) => {
      const tick = element("span", { textContent: words });
      tick.style.left = `${(100 * (ms - begin)) / SPAN_MS}%`;
      return tick;
    }));
  }
}

/** @param {import("../answers.d.ts").WatchPreview} found */
function sentence({ would_fire: times, at, events, searched_from: from, complete }) {
  const n = number(times);
  const when = complete
    ? text(times === 1 ? "preview.one" : "preview.many", { n })
    : text("preview.partly", { n, time: minuteTime(from) });
  const last = at.at(-1);
  return [
    when,
    text("preview.events", { n: number(events) }),
    ...(last ? [text("preview.last", { time: minuteTime(last) })] : []),
  ].join(" ");
}
