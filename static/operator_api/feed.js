/** The feed: a piece of the log and what comes live behind it, followed or held still. It does not draw rows itself. */

import { ApiError } from "./api.js";
import { Entries } from "./entries.js";
import { admits } from "./filters.js";
import { number } from "./clock.js";
import { Pending } from "./pending.js";
import { RowList } from "./row-list.js";
import { rowOf } from "./row.js";
import { text } from "./texts.js";

/** Rows go in together: at 500 events a second the page is drawn ten times, not 500. */
const FLUSH_MS = 100;
/** A log that cannot be read is asked again at this pace, or later if the server says so; not by all pages together. */
const RETRY_MS = 3_000;
const RETRY_SPREAD = 0.25;
/** They may all be in sight at once. */
const FEW_ROWS = 60;

const slot = (name) => document.querySelector(`[data-slot=${name}]`);

export class Feed {
  #frame = document.querySelector("#feed");
  #newest = document.querySelector("[data-action=newest]");
  #pause = document.querySelector("[data-action=pause]");
  #further = document.querySelector("[data-action=older]");
  #entries = new Entries();
  #pages;
  #rows;
  #filter;
  #pending = new Pending();
  #timer = null;
  /** Whether the newest of the log stands at the end; else what is missing there is read when it is scrolled to. */
  #attached = false;
  #older = null;
  #newer = null;
  #reading = null;
  #outrun = false;
  #failure = null;
  #retry = null;
  #unread = 0;
  #filtered = false;
  #told;

  /**
   * @param {import("./log-pages.js").LogPages} pages
   * @param {{filter: object, opened: (event: object) => void, failed: (error: ?ApiError) => void,
   *   moved: (following: boolean) => void}} told - `moved`: whether the newest are followed from now on
   */
  constructor(pages, { filter, opened, failed, moved }) {
    this.#pages = pages;
    this.#filter = filter;
    this.#told = { opened, failed, moved };
    this.#rows = new RowList(this.#frame, slot("rows"), this.#entries, rowOf);
    this.#rows.onscroll = (where) => this.#scrolled(where);
    this.#newest.addEventListener("click", () => this.toNewest());
    this.#pause.addEventListener("click", () => this.togglePause());
    this.#further.addEventListener("click", () => this.#readOlder());
    this.#frame.addEventListener("click", ({ target }) => this.#clicked(target.closest(".row")));
    this.#describe();
  }

  get #following() {
    return this.#rows.pinned;
  }

  set #following(wanted) {
    this.#rows.pinned = wanted;
  }

  /** An event of the stream; `cursor` is its position. */
  add(event, cursor) {
    if (!this.#pending.add(event, cursor)) {
      // A page that is under way may end before what was let go here.
      if (this.#reading) this.#outrun = true;
      else this.#detach();
    }
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** A sentence of the page itself at this place of the feed, then what the log holds now. */
  async reset(sentence) {
    this.#flush();
    this.#entries.note(sentence);
    this.#rows.update();
    await this.#read((signal) => this.#pages.newest(this.#filter, signal), (piece) => this.#join(piece));
  }

  /** Reads again: the end of the log, or what happened around `at` (an ISO time). */
  async show(filter, { at = null, filtered = false } = {}) {
    this.#filter = filter;
    this.#filtered = filtered;
    this.#following = !at;
    this.#entries.clear();
    this.#rows.update();
    const read = (signal) => (at ? this.#pages.around(at, filter, signal) : this.#pages.newest(filter, signal));
    await this.#read(read, (piece) => this.#begin(piece, at));
  }

  /** Follows the newest again. */
  toNewest() {
    this.#following = true;
    this.#told.moved(true);
    if (this.#attached) this.#settle();
    else this.show(this.#filter, { filtered: this.#filtered });
  }

  togglePause() {
    if (!this.#following) return this.toNewest();
    this.#following = false;
    this.#describe();
    return this.#told.moved(false);
  }

  redraw = () => this.#rows.redraw();

  /** Moves the marked row; the feed holds still meanwhile. */
  move(step) {
    const here = this.#entries.indexOf(this.#rows.activeKey);
    const from = here < 0 ? this.#rows.topIndex - Math.sign(step) : here;
    this.#activate(Math.max(0, Math.min(this.#entries.length - 1, from + step)));
  }

  openMarked() {
    const entry = this.#entries.at(this.#entries.indexOf(this.#rows.activeKey));
    if (entry?.event && entry.key === this.#rows.activeKey) this.#told.opened(entry.event);
  }

  /** Marks the next event (step 1) or the one before (-1) that is an error; whether there is one. */
  toError(step) {
    const here = this.#entries.indexOf(this.#rows.activeKey);
    const from = here < 0 ? this.#rows.topIndex : here + step;
    const found = this.#entries.find(from, step, ({ severity }) => severity === "error" || severity === "critical");
    if (found >= 0) this.#activate(found, { centred: true });
    return found >= 0;
  }

  #activate(index, options) {
    if (!this.#entries.length) return;
    if (this.#following && index < this.#entries.length - 1) this.togglePause();
    this.#rows.activate(index, options);
    this.#frame.focus({ preventScroll: true });
  }

  #clicked(row) {
    const index = row ? this.#entries.indexOf(row.dataset.key) : -1;
    if (index < 0) return;
    this.#activate(index);
    this.#told.opened(this.#entries.at(index).event);
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    // What is being read may hold these too, so they wait for it.
    if (this.#reading) return;
    const wanted = this.#pending.take().filter(({ event }) => this.#isWanted(event));
    if (!wanted.length) return;
    if (this.#attached && !this.#following && !this.#entries.hasRoomFor(wanted)) this.#detach();
    if (!this.#following) this.#unread += wanted.length;
    if (this.#attached) this.#append(wanted);
    this.#settle();
  }

  #isWanted(event) {
    return admits(this.#filter)(event);
  }

  #append(entries) {
    const dropped = this.#entries.append(entries);
    if (dropped) this.#older = this.#entries.firstEvent.cursor;
    this.#rows.update(this.#following ? 0 : -dropped);
  }

  /** From here on what is live is only counted: who reads what was before must not lose it. */
  #detach() {
    if (!this.#attached) return;
    this.#attached = false;
    this.#newer = this.#entries.lastEvent?.cursor ?? null;
    if (this.#following) this.toNewest();
  }

  #settle() {
    if (this.#following) {
      this.#unread = 0;
      this.#rows.toEnd();
    }
    this.#describe();
  }

  /** One at a time; a new one that starts from nothing ends the one under way. */
  async #read(ask, take) {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    this.#describe();
    try {
      const piece = await ask(reading.signal);
      if (reading.signal.aborted) return;
      this.#failure = null;
      take(piece);
      this.#told.failed(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading.signal.aborted) return;
      this.#failure = error;
      // What was pruned in between, or belongs to another log, is not to be had any more.
      if (error.status === 410) [this.#older, this.#newer] = [null, null];
      else this.#told.failed(error);
    } finally {
      if (this.#reading === reading) this.#reading = null;
      this.#flush();
      this.#describe();
      this.#recover();
    }
  }

  /** Who follows is brought to the end of the log again: it was out of reach, or ran ahead while it was read. */
  #recover() {
    if (this.#reading || this.#attached || !this.#following) return;
    // Who may not read is told so, once.
    if (this.#failure?.status === 401 || this.#failure?.status === 403) return;
    clearTimeout(this.#retry);
    const waitMs = this.#failure ? Math.max(RETRY_MS, this.#failure.retryAfterMs) : 0;
    const spreadMs = waitMs * RETRY_SPREAD * Math.random();
    this.#retry = setTimeout(() => this.#following && !this.#attached && this.toNewest(), waitMs + spreadMs);
  }

  #begin(piece, at) {
    this.#entries.append(piece.entries);
    [this.#older, this.#newer] = [piece.older, piece.newer];
    this.#unread = 0;
    this.#attach(piece);
    this.#rows.update();
    if (!at) return this.#settle();
    // As texts, times of different precision do not compare: ".004Z" is greater than ".004123Z".
    const atMs = Date.parse(at);
    const first = this.#entries.find(0, 1, (event) => Date.parse(event.created_at) >= atMs);
    if (first >= 0) this.#rows.activate(first, { centred: true });
    return this.#describe();
  }

  /** With the end of the log read, what came live meanwhile goes on from there. */
  #attach(piece) {
    this.#attached = piece.newer === null && !this.#outrun;
    if (this.#outrun) this.#newer = piece.entries.at(-1)?.cursor ?? null;
    this.#outrun = false;
    const last = piece.entries.at(-1)?.event.seq ?? 0;
    if (this.#attached) this.#pending.forgetUpTo(last);
  }

  #join(piece) {
    this.#attach(piece);
    this.#append(piece.entries);
    this.#settle();
  }

  #scrolled({ arrived, left, nearStart, nearEnd }) {
    if (arrived && !this.#following && this.#attached && !this.#reading) this.toNewest();
    else if (left && this.#attached) this.togglePause();
    if (this.#reading || !this.#entries.length) return;
    if (nearStart && this.#older) this.#readOlder();
    else if (nearEnd && !this.#attached && this.#newer) this.#readNewer();
  }

  #readOlder() {
    this.#read(
      (signal) => this.#pages.before(this.#older, this.#filter, signal),
      (piece) => {
        const { added, dropped } = this.#entries.prepend(piece.entries);
        this.#older = piece.older;
        if (dropped) {
          this.#attached = false;
          this.#newer = this.#entries.lastEvent.cursor;
        }
        this.#rows.update(added);
      },
    );
  }

  #readNewer() {
    this.#read(
      (signal) => this.#pages.after(this.#newer, this.#filter, signal),
      (piece) => {
        this.#newer = piece.newer;
        this.#attach(piece);
        this.#append(piece.entries);
      },
    );
  }

  #describe() {
    const count = this.#entries.eventCount;
    const more = this.#older || (!this.#attached && this.#newer);
    const all = count === 1 ? "count.one" : "count.all";
    slot("count").textContent = text(more ? "count.more" : all, { n: number(count) });
    slot("empty").hidden = this.#entries.length > 0;
    slot("empty").textContent = text(this.#reading ? "empty.reading" : this.#filtered ? "empty.filtered" : "empty.none");
    // What passes is rare: a list too short to be scrolled asks for more by a button.
    this.#hide(this.#further, Boolean(this.#reading) || !this.#older || this.#entries.length >= FEW_ROWS);
    const unread = { 0: "unread.none", 1: "unread.one" }[this.#unread] ?? "unread.many";
    slot("unread").textContent = text(unread, { n: number(this.#unread) });
    this.#hide(this.#newest, this.#following);
    this.#pause.setAttribute("aria-pressed", String(!this.#following));
    this.#frame.setAttribute("aria-busy", String(Boolean(this.#reading)));
  }

  /** Whoever used the button just now is not left nowhere when it goes. */
  #hide(button, hidden) {
    if (hidden && document.activeElement === button) this.#frame.focus({ preventScroll: true });
    button.hidden = hidden;
  }
}
