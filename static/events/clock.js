/** How long events take from publication to arrival, by the server's clock. */

/** The fastest of so many heartbeats is taken for one that took no time. */
const HEARTBEATS_KEPT = 12;

export class Clock {
  #aheadMs = [];

  /** @param {string} serverTime - when a message that has just arrived was sent */
  note(serverTime) {
    const aheadMs = Date.now() - Date.parse(serverTime);
    if (Number.isFinite(aheadMs)) this.#aheadMs = [...this.#aheadMs, aheadMs].slice(-HEARTBEATS_KEPT);
  }

  /** Milliseconds from `createdAt` to now; null before the server has said what time it is. */
  lagMs(createdAt) {
    if (!this.#aheadMs.length) return null;
    return Math.max(0, Date.now() - Date.parse(createdAt) - Math.min(...this.#aheadMs));
  }
}
