/** What the feed has of the log: a piece of it, and where to read on at each end. Knows neither page nor server. */

import { Entries } from "./entries.js";
import { Pending } from "./pending.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Piece } from "./log-pages.js"
 */

export class Loaded {
  entries = new Entries();
  #pending = new Pending();
  /** Live events were let go while a page was under way, which may end before them. */
  #outrun = false;
  /** Whether the newest of the log stands at the end; else what is missing there is read when it is scrolled to. */
  attached = false;
  /** @type {string | null} */
  older = null;
  /** @type {string | null} */
  newer = null;
  /** Whether the rows are those of the question before: they stay until this one has its first answer. */
  stale = false;
  /** Whether the log has answered at all. */
  known = false;
  /** So many events are looked for further back; 0: no search is on. */
  missing = 0;
  /**
   * The time back to which was searched.
   *
   * @type {string | null}
   */
  backTo = null;

  /**
   * Another question. Rows stay as they are until its first piece is taken.
   *
   * @param {number} missing - so many events are wanted
   */
  begin(missing) {
    this.missing = missing;
    this.attached = false;
    this.older = this.newer = this.backTo = null;
    this.stale = true;
  }

  /**
   * Keeps a live event until it is taken; whether there was room for it.
   *
   * @param {OperatorEvent} event
   * @param {string} cursor
   * @param {{ reading: boolean }} state
   */
  wait(event, cursor, { reading }) {
    const kept = this.#pending.add(event, cursor);
    if (!kept && reading) this.#outrun = true;
    return kept;
  }

  /**
   * Live events that wait and pass.
   *
   * @param {(event: OperatorEvent) => boolean} isWanted
   */
  arrived(isWanted) {
    return this.#pending.take().filter(({ event }) => isWanted(event));
  }

  /**
   * The first piece.
   *
   * @param {Piece} piece
   */
  take(piece) {
    this.entries.clear();
    this.stale = false;
    this.known = true;
    this.entries.append(piece.entries);
    this.missing -= piece.entries.length;
    this.older = piece.older;
    this.backTo = piece.backTo ?? null;
    this.attach(piece);
  }

  /**
   * A piece before the others: how many rows were put there.
   *
   * @param {Piece} piece
   */
  prepend(piece) {
    const { added, dropped } = this.entries.prepend(piece.entries);
    this.missing -= added;
    this.older = piece.older;
    this.backTo = piece.backTo ?? this.backTo;
    if (dropped) this.#leaveTheEnd();
    return added;
  }

  /**
   * Events behind the others: how many rows went at the other end.
   *
   * @param {PlacedEvent[]} events
   */
  append(events) {
    const dropped = this.entries.append(events);
    if (dropped) this.older = this.entries.firstEvent?.cursor ?? null;
    return dropped;
  }

  /**
   * With the end of the log read, what came live meanwhile goes on from there.
   *
   * @param {Piece} piece
   */
  attach(piece) {
    this.attached = piece.newer === null && !this.#outrun;
    this.newer = this.#outrun ? (piece.entries.at(-1)?.cursor ?? null) : piece.newer;
    this.#outrun = false;
    if (this.attached) this.#pending.forgetUpTo(piece.entries.at(-1)?.event.seq ?? 0);
  }

  /** From here on live events are only counted: the older ones on the screen must stay there. Whether that is new. */
  detach() {
    const was = this.attached;
    if (was) this.#leaveTheEnd();
    return was;
  }

  /** The log has no more, at either end. */
  endHere() {
    this.older = this.newer = null;
  }

  #leaveTheEnd() {
    this.attached = false;
    this.newer = this.entries.lastEvent?.cursor ?? null;
  }
}
