/** The feed: a piece of the log and what comes live behind it, followed or held still. It does not draw rows itself. */

import { part, slot } from "./dom.js";
import { FeedControls, FEW_ROWS } from "./feed-controls.js";
import { admits, EVERYTHING, isActive } from "./filter.js";
import { GapBar } from "./gap-bar.js";
import { Loaded } from "./loaded.js";
import { MarkedRow } from "./marked-row.js";
import { goTo, indexAt, placeOf } from "./place.js";
import { Reading } from "./reading.js";
import { RowList } from "./row-list.js";
import { rowOf } from "./row.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Filter } from "./filter.js"
 * @import { LogPages, Piece } from "./log-pages.js"
 * @import { Place } from "./place.js"
 * @import { ApiError } from "./requests.js"
 * @import { Where } from "./row-list.js"
 */

/** Rows go in together: at 500 events a second the page is drawn ten times, not 500. */
const FLUSH_MS = 100;
/** A reader who scrolls up gets so many more events, however many answers that takes. */
const MORE_EVENTS = 50;

export class Feed {
  #log = new Loaded();
  #pages;
  #rows;
  #controls;
  #filter = EVERYTHING;
  #isWanted = admits(EVERYTHING);
  /** @type {number | undefined} */
  #timer;
  #reading = new Reading(() => this.#readingChanged());
  /** @type {Place | null} - where the reader was when the last question began: it counts while nothing passes */
  #place = null;
  #unread = 0;
  #again = () => {};
  #gaps;
  #listeners;

  /**
   * @param {LogPages} pages
   * @param {object} page
   * @param {(event: OperatorEvent) => void} page.opened
   * @param {(event: OperatorEvent) => void} page.moved - the reader marked this one
   * @param {(error: ApiError | null) => void} page.failed
   * @param {(following: boolean) => void} page.followed - whether the newest are followed from now on
   */
  constructor(pages, { opened, moved, failed, followed }) {
    this.#pages = pages;
    this.#listeners = { failed, followed };
    const frame = part("#feed");
    const { entries } = this.#log;
    this.#rows = new RowList(frame, slot("rows"), entries, rowOf);
    this.#rows.onscroll = (where) => this.#scrolled(where);
    this.#controls = new FeedControls({
      newest: () => this.toNewest(),
      pause: () => this.togglePause(),
      older: () => this.#lookBack(),
      stop: () => this.#stop(),
    });
    const held = { entries, rows: this.#rows };
    const hold = () => this.#following && this.togglePause();
    const holdAbove = (/** @type {number} */ index) => index < entries.length - 1 && hold();
    this.marked = new MarkedRow({ ...held, frame, hold: holdAbove, opened, moved });
    this.#gaps = new GapBar({ ...held, hold, jump: (at) => this.show(this.#filter, { at }) });
    this.#describe();
  }

  /** What the page has of the log. */
  get entries() {
    return this.#log.entries;
  }

  get #following() {
    return this.#rows.pinned;
  }

  set #following(wanted) {
    this.#rows.pinned = wanted;
    this.#rows.hasArrived = false;
  }

  /**
   * An event of the stream.
   *
   * @param {OperatorEvent} event
   * @param {string} cursor - the position after it
   */
  add(event, cursor) {
    const { busy } = this.#reading;
    if (!this.#log.wait(event, cursor, { reading: busy }) && !busy) this.#detach();
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /**
   * A gap: a sentence at this place of the feed, behind which comes what the log holds now.
   *
   * @param {string} sentence
   */
  reset(sentence) {
    this.#flush();
    this.#gaps.add(this.#log.entries.note(sentence), sentence);
    this.#rows.update();
    const take = (/** @type {Piece} */ piece) => (this.#log.stale ? this.#start(piece, null) : this.#join(piece));
    return this.#reading.run((signal) => this.#pages.newest(this.#filter, signal), take);
  }

  /**
   * Reads again: the end of the log, or what happened around `at`.
   *
   * @param {Filter} filter
   * @param {{ at?: string | null }} [options] - an ISO time
   */
  show(filter, { at = null } = {}) {
    this.#following = !at;
    this.#place = null;
    this.#begin(filter, () => this.show(filter, { at }));
    return this.#reading.run(
      (signal) => (at ? this.#pages.around(at, filter, signal) : this.#pages.newest(filter, signal)),
      (piece) => this.#start(piece, at),
    );
  }

  /**
   * Asks something else. A feed that follows goes on to follow; one that is held still stays at its place of the log:
   * the marked row, if it is in sight, or that on top.
   *
   * @param {Filter} filter
   * @param {{ at?: string | null, beside?: Place | null }} [options] - `at` as in `show`, where no place is known yet;
   *   `beside`: another place, at which it holds still
   */
  ask(filter, { at = null, beside = null } = {}) {
    if (beside) {
      this.#following = false;
      return this.#readBeside(filter, beside);
    }
    const place = placeOf(this.#log.entries, this.#rows) ?? this.#place;
    if (this.#following || !place) return this.show(filter, { at: this.#following ? null : at });
    return this.#readBeside(filter, place);
  }

  /** Follows the newest again. */
  toNewest() {
    this.#following = true;
    this.#listeners.followed(true);
    if (this.#log.attached) this.#settle();
    else this.show(this.#filter);
  }

  togglePause() {
    if (!this.#following) return this.toNewest();
    this.#following = false;
    this.#describe();
    return this.#listeners.followed(false);
  }

  redraw() {
    this.#rows.redraw();
  }

  /**
   * @param {Filter} filter
   * @param {() => void} again - asks the same once more
   */
  #begin(filter, again) {
    this.#again = again;
    this.#filter = filter;
    this.#isWanted = admits(filter);
    this.#log.begin(FEW_ROWS);
    // Rows that are made again mark what is looked for now.
    this.#rows.redraw();
    this.#rows.update();
  }

  /**
   * @param {Filter} filter
   * @param {Place} place
   */
  #readBeside(filter, place) {
    this.#place = place;
    this.#begin(filter, () => this.#readBeside(filter, place));
    return this.#reading.run((signal) => this.#pages.beside(place.cursor, filter, signal), (piece) => {
      this.#take(piece);
      goTo(place, this.#log.entries, this.#rows);
    });
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // What is being read may hold these too, so they wait for it.
    if (this.#reading.busy) return;
    const wanted = this.#log.arrived(this.#isWanted);
    if (!wanted.length) return;
    if (this.#log.attached && !this.#following && !this.#log.entries.hasRoomFor(wanted)) this.#detach();
    if (!this.#following) this.#unread += wanted.length;
    if (this.#log.attached) this.#append(wanted);
    this.#settle();
  }

  /** @param {PlacedEvent[]} events */
  #append(events) {
    const dropped = this.#log.append(events);
    this.#rows.update(this.#following ? 0 : -dropped);
  }

  #detach() {
    if (this.#log.detach() && this.#following) this.toNewest();
  }

  #settle() {
    if (this.#following) {
      this.#unread = 0;
      this.#rows.toEnd();
    }
    this.#describe();
  }

  /** A read has begun or ended. */
  #readingChanged() {
    const { busy, failure } = this.#reading;
    if (!busy) {
      const isGone = failure?.status === 410;
      // The events there were pruned in between, or belong to another log.
      if (isGone) this.#log.endHere();
      this.#listeners.failed(isGone ? null : failure);
      this.#flush();
      this.#goOn();
      if (this.#log.attached && this.#rows.hasArrived && this.#rows.atEnd) this.toNewest();
    }
    this.#describe();
  }

  /** Brings a feed that follows to the end of the log again, else goes on with the search. */
  #goOn() {
    const { attached, older, newer, missing, entries, stale } = this.#log;
    // It could not be read, or grew faster than it was read.
    if (!attached && this.#following) this.#reading.again(() => this.#following && this.toNewest());
    else if (stale) this.#reading.again(this.#again);
    else if (missing <= 0) return;
    // Around a moment, what came after it is looked for first.
    else if (newer !== null && !entries.length) this.#reading.again(() => this.#readNewer());
    else if (older !== null) this.#reading.again(() => this.#readOlder());
  }

  #lookBack() {
    this.#log.missing = MORE_EVENTS;
    this.#readOlder();
  }

  #stop() {
    this.#log.missing = 0;
    this.#reading.stop();
    this.#readingChanged();
  }

  /** @param {Piece} piece */
  #take(piece) {
    this.#log.take(piece);
    this.#unread = 0;
    this.#rows.update();
  }

  /**
   * @param {Piece} piece
   * @param {string | null} at
   */
  #start(piece, at) {
    this.#take(piece);
    if (!at) return this.#settle();
    const first = indexAt(this.#log.entries, at);
    if (first >= 0) this.#rows.activate(first, { centred: true });
  }

  /** @param {Piece} piece */
  #join(piece) {
    this.#log.attach(piece);
    this.#append(piece.entries);
    this.#settle();
  }

  /** @param {Where} where */
  #scrolled({ arrived, left, nearStart, nearEnd }) {
    const [{ attached, entries }, { busy }] = [this.#log, this.#reading];
    if (arrived && !this.#following && attached && !busy) this.toNewest();
    else if (left && attached) this.togglePause();
    if (busy || !entries.length) return;
    if (nearStart) this.#lookBack();
    else if (nearEnd && !attached) this.#readNewer();
  }

  #readOlder() {
    const { older } = this.#log;
    if (older === null) return;
    const take = (/** @type {Piece} */ piece) => this.#rows.update(this.#log.prepend(piece));
    this.#reading.run((signal) => this.#pages.before(older, this.#filter, signal), take);
  }

  #readNewer() {
    const { newer } = this.#log;
    if (newer === null) return;
    this.#reading.run((signal) => this.#pages.after(newer, this.#filter, signal), (piece) => this.#join(piece));
  }

  #describe() {
    this.#controls.show(this.#log, {
      unread: this.#unread,
      reading: this.#reading.busy,
      failed: this.#reading.failure !== null,
      filtered: isActive(this.#filter),
      following: this.#following,
    });
  }
}
