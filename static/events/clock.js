/** How long events take from publication to arrival, by the server's clock. */

/** The fastest of so many heartbeats counts as one that took no time. */
const HEARTBEATS_KEPT = 12;

export class Clock {
  /** @type {number[]} */
  #aheadMs = [];

  /** @param {string} serverTime - when a message that has just arrived was sent */
  note(serverTime) {
    this.take(Date.now() - Date.parse(serverTime));
  }

  /** How far this browser's clock is ahead of the server's; null before that is known. Its tabs have one clock. */
  get aheadMs() {
    return this.#aheadMs.length ? Math.min(...this.#aheadMs) : null;
  }

  /** @param {number | null} aheadMs - as another tab knows it */
  take(aheadMs) {
    if (aheadMs === null || !Number.isFinite(aheadMs)) return;
    this.#aheadMs = [...this.#aheadMs, aheadMs].slice(-HEARTBEATS_KEPT);
  }

  /**
   * Milliseconds from `createdAt` to now; null before the server's time is known.
   *
   * @param {string} createdAt
   */
  lagMs(createdAt) {
    const { aheadMs } = this;
    return aheadMs === null ? null : Math.max(0, Date.now() - Date.parse(createdAt) - aheadMs);
  }
}
