/** The marked row of the feed: moved by keys, by a click, and from error to error. */

import { targetOf } from "./dom.js";

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

export class MarkedRow {
  #frame;
  #entries;
  #rows;
  #hold;
  #opened;
  #moved;

  /**
   * @param {object} feed
   * @param {HTMLElement} feed.frame
   * @param {import("./entries.js").Entries} feed.entries
   * @param {import("./row-list.js").RowList} feed.rows
   * @param {(index: number) => void} feed.hold - called before a row is marked, so that it stays in sight
   * @param {(event: OperatorEvent) => void} feed.opened
   * @param {(event: OperatorEvent) => void} feed.moved - called when a key has marked another event
   */
  constructor({ frame, entries, rows, hold, opened, moved }) {
    this.#frame = frame;
    this.#entries = entries;
    this.#rows = rows;
    this.#hold = hold;
    this.#opened = opened;
    this.#moved = moved;
    frame.addEventListener("click", (click) => this.#clicked(targetOf(click)?.closest(".row")));
  }

  /** @param {number} step */
  move(step) {
    const here = this.#entries.indexOf(this.#rows.activeKey);
    const from = here < 0 ? this.#rows.topIndex - Math.sign(step) : here;
    this.#mark(Math.max(0, Math.min(this.#entries.length - 1, from + step)));
  }

  open() {
    const entry = this.#entries.at(this.#entries.indexOf(this.#rows.activeKey));
    if (entry?.event && entry.key === this.#rows.activeKey) this.#opened(entry.event);
  }

  /**
   * Marks the next event (step 1) or the one before (-1) that is an error; whether there is one.
   *
   * @param {1 | -1} step
   */
  toError(step) {
    const here = this.#entries.indexOf(this.#rows.activeKey);
    const from = here < 0 ? this.#rows.topIndex : here + step;
    const found = this.#entries.find(from, step, ({ severity }) => severity === "error" || severity === "critical");
    if (found >= 0) this.#mark(found, { centred: true });
    return found >= 0;
  }

  /**
   * @param {number} index
   * @param {{ centred?: boolean }} [options]
   */
  #mark(index, options) {
    if (!this.#entries.length) return;
    this.#hold(index);
    this.#rows.activate(index, options);
    this.#frame.focus({ preventScroll: true });
    const { event } = this.#entries.at(index) ?? {};
    if (event) this.#moved(event);
  }

  /** @param {Element | null | undefined} row */
  #clicked(row) {
    const index = this.#entries.indexOf(row?.getAttribute("data-key") ?? null);
    // Notes of the page have no key and cannot be opened.
    const event = index < 0 ? undefined : this.#entries.at(index)?.event;
    if (!event) return;
    this.#mark(index);
    this.#opened(event);
  }
}
