/** A long list of which only the rows in sight exist. All rows are equally high, so that no row need be measured. */

/**
 * @import { Entry } from "./entries.js"
 *
 * @typedef {{ arrived: boolean, left: boolean, nearStart: boolean, nearEnd: boolean }} Where - after a scroll
 *   `arrived`: it went down and the end is in sight. `left`: the reader scrolled away from the pinned end.
 */

/** Rows beyond each edge: what a finger moves in one frame. */
const SPARE_ROWS = 8;
/** So near to the bottom counts as the bottom. */
const FOLLOW_MARGIN_PX = 24;
/** So near to an end of the list, what lies beyond it is asked for. */
const MARGIN_ROWS = 40;

export class RowList {
  #frame;
  #list;
  #entries;
  #makeRow;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #drawing = false;
  #rowPx = 0;
  /** @type {string | null} */
  #activeKey = null;
  #endPx = 0;
  #lastPx = 0;
  /** Whether the end stays in sight, also when the page around it changes its size. */
  pinned = true;
  /** Whether the last scroll went down to the end, since it was last decided whether that stays in sight. */
  hasArrived = false;
  /**
   * Called after each scroll.
   *
   * @type {(where: Where) => void}
   */
  onscroll = () => {};

  /**
   * @param {HTMLElement} frame - what scrolls and has the focus
   * @param {HTMLElement} list
   * @param {import("./entries.js").Entries} entries
   * @param {(entry: Entry) => HTMLElement} makeRow
   */
  constructor(frame, list, entries, makeRow) {
    this.#frame = frame;
    this.#list = list;
    this.#entries = entries;
    this.#makeRow = makeRow;
    frame.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(frame);
    this.#measure();
  }

  get activeKey() {
    return this.#activeKey;
  }

  /** After entries were added or taken away; `shift` is by how many rows those that stayed moved down. */
  update(shift = 0) {
    this.#setHeight();
    if (shift) this.#moveTo(this.#frame.scrollTop + shift * this.#rowPx);
    this.#draw();
  }

  toEnd() {
    this.#setHeight();
    this.#moveTo(this.#frame.scrollHeight);
    this.#endPx = this.#lastPx;
    this.#draw();
  }

  /** The index of the row at the upper edge. */
  get topIndex() {
    return Math.max(0, Math.min(this.#entries.length - 1, Math.ceil(this.#frame.scrollTop / this.#rowPx)));
  }

  /** @param {number} index */
  isInSight(index) {
    const px = index * this.#rowPx - this.#frame.scrollTop;
    return index >= 0 && px > -this.#rowPx && px < this.#frame.clientHeight;
  }

  /** The row that is to stay where it is: the marked one, if it is in sight, else that on top; and where that is. */
  get held() {
    const active = this.#activeKey === null ? -1 : this.#entries.indexOf(this.#activeKey);
    const px = active * this.#rowPx - this.#frame.scrollTop;
    const marked = active >= 0 && px >= 0 && px + this.#rowPx <= this.#frame.clientHeight;
    return marked ? { index: active, px, marked } : { index: this.topIndex, px: 0, marked };
  }

  /**
   * Brings a row to a place so many pixels below the upper edge.
   *
   * @param {number} index
   * @param {number} px
   */
  hold(index, px) {
    this.#setHeight();
    this.#moveTo(index * this.#rowPx - px);
    this.#draw();
  }

  /**
   * Marks a row and brings it into sight.
   *
   * @param {number} index
   * @param {{ centred?: boolean }} [options] - where the reader jumps to it
   */
  activate(index, { centred = false } = {}) {
    this.#activeKey = this.#entries.at(index)?.key ?? null;
    const [top, height] = [index * this.#rowPx, this.#frame.clientHeight];
    const hidden = top < this.#frame.scrollTop || top + this.#rowPx > this.#frame.scrollTop + height;
    if (hidden && centred) this.#frame.scrollTop = top - height / 2;
    else if (hidden) this.#frame.scrollTop = top < this.#frame.scrollTop ? top : top + this.#rowPx - height;
    this.#draw();
  }

  /** Rows that exist are made again: a time zone, a height or columns of theirs have changed. */
  redraw() {
    this.#rows.clear();
    this.#measure();
  }

  /** A page that is wider or has larger letters has rows of another height. */
  #measure() {
    const probe = document.createElement("li");
    probe.className = "row probe";
    this.#list.append(probe);
    const rowPx = probe.getBoundingClientRect().height;
    probe.remove();
    const top = this.#rowPx ? this.#frame.scrollTop / this.#rowPx : 0;
    const changed = rowPx !== this.#rowPx;
    this.#rowPx = rowPx;
    this.#setHeight();
    if (this.pinned) this.toEnd();
    else if (changed) this.#moveTo(top * rowPx);
    this.#draw();
  }

  /**
   * A move of the page, not of the reader.
   *
   * @param {number} px
   */
  #moveTo(px) {
    this.#frame.scrollTop = px;
    this.#lastPx = this.#frame.scrollTop;
  }

  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#frame;
    return scrollHeight - scrollTop - clientHeight < FOLLOW_MARGIN_PX;
  }

  #scrolled() {
    const rowsBelow = this.#entries.length - (this.#frame.scrollTop + this.#frame.clientHeight) / this.#rowPx;
    const nearStart = this.#frame.scrollTop < MARGIN_ROWS * this.#rowPx;
    const { atEnd } = this;
    // A page that grew around the list has moved its end, not the reader.
    const left = this.pinned && !atEnd && this.#frame.scrollTop < this.#endPx - FOLLOW_MARGIN_PX;
    // One step up from the end is still near to it, and no wish to be there.
    const arrived = atEnd && this.#frame.scrollTop > this.#lastPx;
    this.#lastPx = this.#frame.scrollTop;
    this.hasArrived = arrived;
    this.onscroll({ arrived, left, nearStart, nearEnd: rowsBelow < MARGIN_ROWS });
    this.#draw();
  }

  #setHeight() {
    this.#list.style.height = `${this.#entries.length * this.#rowPx}px`;
  }

  /** Once for each picture of the screen, however often it was asked for. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  }

  #drawNow() {
    const first = Math.max(0, Math.floor(this.#frame.scrollTop / this.#rowPx) - SPARE_ROWS);
    const shown = Math.ceil(this.#frame.clientHeight / this.#rowPx) + 2 * SPARE_ROWS;
    const rows = new Map();
    for (let index = first; index < Math.min(this.#entries.length, first + shown); index += 1) {
      const entry = this.#entries.at(index);
      if (!entry) break;
      const row = this.#rows.get(entry.key) ?? this.#makeRow(entry);
      row.style.transform = `translateY(${index * this.#rowPx}px)`;
      row.ariaPosInSet = String(index + 1);
      row.ariaSetSize = String(this.#entries.length);
      row.ariaSelected = String(entry.key === this.#activeKey);
      rows.set(entry.key, row);
    }
    this.#rows = rows;
    const elements = [...rows.values()];
    // Rows that stay where they are keep what the browser knows of them, such as the pointer above them.
    if (elements.some((row, at) => row !== this.#list.children[at]) || elements.length !== this.#list.children.length) {
      this.#list.replaceChildren(...elements);
    }
    const active = this.#activeKey === null ? null : rows.get(this.#activeKey);
    if (active) this.#frame.setAttribute("aria-activedescendant", active.id);
    else this.#frame.removeAttribute("aria-activedescendant");
  }
}
