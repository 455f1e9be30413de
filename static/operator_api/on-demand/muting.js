/** Until when a watch is muted: the choices that the lists offer. */

import { text } from "../texts.js";
import { zoneOffsetMs } from "../times.js";

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];
/** Who mutes in the evening means the night, too. */
const MORNING_MS = 8 * HOUR_MS;

/** @param {number} now - milliseconds since 1970 */
export function mutings(now) {
  return [
    { words: text("mute.hours_1"), until: iso(now + HOUR_MS) },
    { words: text("mute.hours_8"), until: iso(now + 8 * HOUR_MS) },
    { words: text("mute.tomorrow"), until: iso(tomorrow(now)) },
  ];
}

/**
 * The next morning by the reader's clock.
 *
 * @param {number} now
 */
function tomorrow(now) {
  const morning = (/** @type {number} */ offset) =>
    (Math.floor((now + offset) / DAY_MS) + 1) * DAY_MS + MORNING_MS - offset;
  // In the night in which clocks change, the morning has another offset.
  return morning(zoneOffsetMs(morning(zoneOffsetMs(now))));
}

/** @param {number} ms */
function iso(ms) {
  return new Date(ms).toISOString();
}
