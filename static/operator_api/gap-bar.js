/** Gaps in the events stay above the feed until they were seen there: a line between rows goes by in a second. */

import { button, element, slot } from "./dom.js";
import { text } from "./texts.js";
import { minuteTime } from "./times.js";

/** @import { Entries } from "./entries.js" */

/** What is in sight for so long was seen. */
const LOOK_MS = 1_000;

/** @typedef {{ key: string, sentence: string, at: string, away: boolean, shown?: boolean }} Gap - `at`: an ISO time */

export class GapBar {
  #place = slot("gap");
  #feed;
  /** @type {Gap[]} - the oldest first */
  #gaps = [];
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {object} feed
   * @param {Entries} feed.entries
   * @param {import("./row-list.js").RowList} feed.rows
   * @param {() => void} feed.hold - the feed no longer follows the newest
   * @param {(at: string) => void} feed.jump
   */
  constructor(feed) {
    this.#feed = feed;
  }

  /**
   * @param {string} key - of the line in the feed
   * @param {string} sentence
   */
  add(key, sentence) {
    this.#gaps.push({ key, sentence, at: new Date().toISOString(), away: document.hidden });
    this.#show();
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  /** A line that is in sight at two looks was seen. */
  #look() {
    const before = this.#gaps.length;
    this.#gaps = this.#gaps.filter((gap) => {
      const inSight = !document.hidden && this.#feed.rows.isInSight(this.#feed.entries.indexOf(gap.key));
      const seen = inSight && gap.shown;
      gap.shown = inSight;
      return !seen;
    });
    if (this.#gaps.length !== before) this.#show();
  }

  #show() {
    const gap = this.#gaps[0];
    this.#place.hidden = !gap;
    if (!gap) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const name = text(gap.away ? "gap.away" : "gap.here", { time: minuteTime(gap.at) });
    const show = button(text("gap.show"), () => this.#goTo(gap));
    const dismiss = button(text("gap.dismiss"), () => {
      this.#gaps = this.#gaps.filter((other) => other !== gap);
      this.#show();
    });
    this.#place.replaceChildren(element("strong", { textContent: name }), " ", gap.sentence, " ", show, dismiss);
  }

  /** @param {Gap} gap */
  #goTo({ key, at }) {
    const { entries, rows, hold, jump } = this.#feed;
    const index = entries.indexOf(key);
    // Another question has taken the line away.
    if (index < 0) return jump(at);
    hold();
    return rows.activate(index, { centred: true });
  }
}
