/**
 * The position of one client in the log, and what makes events come once and in order wherever they come from.
 *
 * Events come as ranges: all that the session may see after one position, up to another. A range that begins at or
 * before the reader's position can be applied, what was read before is left out; one that begins later leaves a gap.
 */

import { cursorOf, reaches, split } from "./cursors.js";

/**
 * @import { OperatorEvent } from "./event-client.d.ts"
 * @import { Range } from "./event-client-parts.d.ts"
 */

export class Reader {
  /** @type {string | null} */
  cursor;
  #admits;
  #hand;

  /**
   * @param {string | null} cursor - where to begin; null: where the first range does
   * @param {(event: OperatorEvent) => boolean} admits - what the page wants to see
   * @param {(event: OperatorEvent, cursor: string, live: boolean) => boolean} hand - gives an event to the page;
   *   false: enough
   */
  constructor(cursor, admits, hand) {
    this.cursor = cursor;
    this.#admits = admits;
    this.#hand = hand;
  }

  /**
   * Hands over what is new in a range; false, and nothing done, when something between is missing.
   *
   * @param {Range} range
   */
  take({ after, upto, events, live = false }) {
    if (this.cursor !== null && after !== null) {
      if (!reaches(this.cursor, after)) return false;
      if (reaches(this.cursor, upto)) return true;
    }
    const here = split(this.cursor);
    const known = here.epoch === split(upto).epoch ? here.seq : -Infinity;
    for (const event of events) {
      if (event.seq <= known) continue;
      this.cursor = cursorOf(event, upto);
      if (this.#admits(event) && !this.#hand(event, this.cursor, live)) return true;
    }
    this.cursor = upto;
    return true;
  }
}
