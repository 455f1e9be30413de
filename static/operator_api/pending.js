/** Events that came since rows were last drawn. Bounded: a tab in the background is drawn seldom. */

import { KEPT_LIMIT_BYTES, sizeOf } from "./entries.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 */

/** Beyond this many, or KEPT_LIMIT_BYTES of them, the page reads what it missed from the log. */
const PENDING_LIMIT = 5_000;

export class Pending {
  /** @type {Required<PlacedEvent>[]} */
  #list = [];
  #bytes = 0;

  /**
   * Whether there was room; if not, none is left.
   *
   * @param {OperatorEvent} event
   * @param {string} cursor
   */
  add(event, cursor) {
    const bytes = sizeOf(event);
    this.#list.push({ event, cursor, bytes });
    this.#bytes += bytes;
    if (this.#list.length <= PENDING_LIMIT && this.#bytes <= KEPT_LIMIT_BYTES) return true;
    this.take();
    return false;
  }

  /** All of them, in order; none is left. */
  take() {
    this.#bytes = 0;
    return this.#list.splice(0);
  }

  /**
   * Those up to this seq are in the page already.
   *
   * @param {number} seq
   */
  forgetUpTo(seq) {
    this.#list = this.#list.filter(({ event }) => event.seq > seq);
    this.#bytes = this.#list.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
