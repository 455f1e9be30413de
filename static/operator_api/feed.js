/** The feed: a piece of the log and what comes live behind it, followed or held still. It does not draw rows itself. */

import { part, slot } from "./dom.js";
import { Entries } from "./entries.js";
import { FeedControls } from "./feed-controls.js";
import { admits } from "./filter-form.js";
import { MarkedRow } from "./marked-row.js";
import { Pending } from "./pending.js";
import { ApiError } from "./requests.js";
import { RowList } from "./row-list.js";
import { rowOf } from "./row.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Filter } from "./filter-form.js"
 * @import { LogPages, Piece } from "./log-pages.js"
 * @import { Where } from "./row-list.js"
 */

/** Rows go in together: at 500 events a second the page is drawn ten times, not 500. */
const FLUSH_MS = 100;
/** A log that cannot be read is read again at this pace, or later if the server asks for it; not by all at once. */
const RETRY_MS = 3_000;
const RETRY_SPREAD = 0.25;

export class Feed {
  #entries = new Entries();
  #pages;
  #rows;
  #controls;
  #filter;
  #pending = new Pending();
  /** @type {number | undefined} */
  #timer;
  /** Whether the newest of the log stands at the end; else what is missing there is read when it is scrolled to. */
  #attached = false;
  /** @type {string | null} */
  #older = null;
  /** @type {string | null} */
  #newer = null;
  /** @type {AbortController | null} */
  #reading = null;
  #outrun = false;
  /** @type {ApiError | null} */
  #failure = null;
  /** @type {number | undefined} */
  #retry;
  #unread = 0;
  #filtered = false;
  #listeners;

  /**
   * @param {LogPages} pages
   * @param {object} page
   * @param {Filter} page.filter
   * @param {(event: OperatorEvent) => void} page.opened
   * @param {(error: ApiError | null) => void} page.failed
   * @param {(following: boolean) => void} page.moved - whether the newest are followed from now on
   */
  constructor(pages, { filter, opened, failed, moved }) {
    this.#pages = pages;
    this.#filter = filter;
    this.#listeners = { failed, moved };
    const frame = part("#feed");
    this.#rows = new RowList(frame, slot("rows"), this.#entries, rowOf);
    this.#rows.onscroll = (where) => this.#scrolled(where);
    this.#controls = new FeedControls({
      newest: () => this.toNewest(),
      pause: () => this.togglePause(),
      older: () => this.#readOlder(),
    });
    this.marked = new MarkedRow({
      frame,
      entries: this.#entries,
      rows: this.#rows,
      hold: (index) => this.#following && index < this.#entries.length - 1 && this.togglePause(),
      opened,
    });
    this.#describe();
  }

  get #following() {
    return this.#rows.pinned;
  }

  set #following(wanted) {
    this.#rows.pinned = wanted;
  }

  /**
   * An event of the stream.
   *
   * @param {OperatorEvent} event
   * @param {string} cursor - the position after it
   */
  add(event, cursor) {
    if (!this.#pending.add(event, cursor)) {
      // A page that is under way may end before what was let go here.
      if (this.#reading) this.#outrun = true;
      else this.#detach();
    }
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** @param {string} sentence - of the page itself at this place of the feed; then comes what the log holds now */
  async reset(sentence) {
    this.#flush();
    this.#entries.note(sentence);
    this.#rows.update();
    await this.#read((signal) => this.#pages.newest(this.#filter, signal), (piece) => this.#join(piece));
  }

  /**
   * Reads again: the end of the log, or what happened around `at`.
   *
   * @param {Filter} filter
   * @param {{ at?: string | null, filtered?: boolean }} [options] - `at`: an ISO time
   */
  async show(filter, { at = null, filtered = false } = {}) {
    this.#filter = filter;
    this.#filtered = filtered;
    this.#following = !at;
    this.#entries.clear();
    this.#rows.update();
    await this.#read(
      (signal) => (at ? this.#pages.around(at, filter, signal) : this.#pages.newest(filter, signal)),
      (piece) => this.#begin(piece, at),
    );
  }

  /** Follows the newest again. */
  toNewest() {
    this.#following = true;
    this.#listeners.moved(true);
    if (this.#attached) this.#settle();
    else this.show(this.#filter, { filtered: this.#filtered });
  }

  togglePause() {
    if (!this.#following) return this.toNewest();
    this.#following = false;
    this.#describe();
    return this.#listeners.moved(false);
  }

  redraw() {
    this.#rows.redraw();
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // What is being read may hold these too, so they wait for it.
    if (this.#reading) return;
    const isWanted = admits(this.#filter);
    const wanted = this.#pending.take().filter(({ event }) => isWanted(event));
    if (!wanted.length) return;
    if (this.#attached && !this.#following && !this.#entries.hasRoomFor(wanted)) this.#detach();
    if (!this.#following) this.#unread += wanted.length;
    if (this.#attached) this.#append(wanted);
    this.#settle();
  }

  /** @param {PlacedEvent[]} events */
  #append(events) {
    const dropped = this.#entries.append(events);
    if (dropped) this.#older = this.#entries.firstEvent?.cursor ?? null;
    this.#rows.update(this.#following ? 0 : -dropped);
  }

  /** From here on live events are only counted: the older ones on the screen must stay there. */
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

  /**
   * One at a time; a new one that starts from nothing ends the one under way.
   *
   * @param {(signal: AbortSignal) => Promise<Piece>} ask
   * @param {(piece: Piece) => void} take
   */
  async #read(ask, take) {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    this.#describe();
    try {
      const piece = await ask(reading.signal);
      if (reading.signal.aborted) return;
      this.#failure = null;
      take(piece);
      this.#listeners.failed(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading.signal.aborted) return;
      this.#failure = error;
      // The events there were pruned in between, or belong to another log.
      if (error.status === 410) this.#older = this.#newer = null;
      else this.#listeners.failed(error);
    } finally {
      if (this.#reading === reading) this.#reading = null;
      this.#flush();
      this.#describe();
      this.#recover();
    }
  }

  /** Brings a feed that follows to the end of the log again: it could not be read, or grew faster than it was read. */
  #recover() {
    if (this.#reading || this.#attached || !this.#following) return;
    // A reader without the right to read sees the refusal once; asking again would not help.
    if (this.#failure?.status === 401 || this.#failure?.status === 403) return;
    clearTimeout(this.#retry);
    const waitMs = this.#failure ? Math.max(RETRY_MS, this.#failure.retryAfterMs) : 0;
    const spreadMs = waitMs * RETRY_SPREAD * Math.random();
    this.#retry = setTimeout(() => this.#following && !this.#attached && this.toNewest(), waitMs + spreadMs);
  }

  /**
   * @param {Piece} piece
   * @param {string | null} at
   */
  #begin(piece, at) {
    this.#entries.append(piece.entries);
    this.#older = piece.older;
    this.#newer = piece.newer;
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

  /**
   * With the end of the log read, what came live meanwhile goes on from there.
   *
   * @param {Piece} piece
   */
  #attach(piece) {
    this.#attached = piece.newer === null && !this.#outrun;
    if (this.#outrun) this.#newer = piece.entries.at(-1)?.cursor ?? null;
    this.#outrun = false;
    const last = piece.entries.at(-1)?.event.seq ?? 0;
    if (this.#attached) this.#pending.forgetUpTo(last);
  }

  /** @param {Piece} piece */
  #join(piece) {
    this.#attach(piece);
    this.#append(piece.entries);
    this.#settle();
  }

  /** @param {Where} where */
  #scrolled({ arrived, left, nearStart, nearEnd }) {
    if (arrived && !this.#following && this.#attached && !this.#reading) this.toNewest();
    else if (left && this.#attached) this.togglePause();
    if (this.#reading || !this.#entries.length) return;
    if (nearStart) this.#readOlder();
    else if (nearEnd && !this.#attached) this.#readNewer();
  }

  #readOlder() {
    const older = this.#older;
    if (older === null) return;
    this.#read(
      (signal) => this.#pages.before(older, this.#filter, signal),
      (piece) => {
        const { added, dropped } = this.#entries.prepend(piece.entries);
        this.#older = piece.older;
        if (dropped) {
          this.#attached = false;
          this.#newer = this.#entries.lastEvent?.cursor ?? null;
        }
        this.#rows.update(added);
      },
    );
  }

  #readNewer() {
    const newer = this.#newer;
    if (newer === null) return;
    this.#read(
      (signal) => this.#pages.after(newer, this.#filter, signal),
      (piece) => {
        this.#newer = piece.newer;
        this.#attach(piece);
        this.#append(piece.entries);
      },
    );
  }

  #describe() {
    this.#controls.show({
      rows: this.#entries.length,
      events: this.#entries.eventCount,
      hasOlder: this.#older !== null,
      hasNewer: !this.#attached && this.#newer !== null,
      unread: this.#unread,
      reading: this.#reading !== null,
      filtered: this.#filtered,
      following: this.#following,
    });
  }
}
