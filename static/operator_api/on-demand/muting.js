/** Muting of a watch, as both lists offer it: a button, and behind it the choices until when. */

import { button, element } from "../dom.js";
import { text } from "../texts.js";
import { minuteTime, zoneOffsetMs } from "../times.js";
import { visible } from "../unseen.js";

/**
 * @typedef {object} Muting
 * @property {string} name - of the watch
 * @property {string | null} until
 * @property {boolean} isOpen - whether the choices are shown
 * @property {() => void} toggle
 * @property {(until: string | null) => void} mute - null ends it
 */

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];
/** Who mutes in the evening means the night, too. */
const MORNING_MS = 8 * HOUR_MS;

/** @param {string | null} until */
export function isMuted(until) {
  return until !== null && Date.parse(until) > Date.now();
}

/**
 * What stands in a line of buttons.
 *
 * @param {Muting} muting
 */
export function muteButton({ name, until, isOpen, toggle, mute }) {
  const muted = isMuted(until);
  const made = button(text(muted ? "mute.end" : "mute.begin"), () => (muted ? mute(null) : toggle()), {
    ariaLabel: text(muted ? "mute.end_it" : "mute.begin_it", { name: visible(name) }),
  });
  made.dataset.key = "mute";
  if (!muted) made.ariaExpanded = String(isOpen);
  const words = muted ? text("mute.until", { time: minuteTime(until ?? "") }) : "";
  return [made, element("span", { className: "muted", textContent: words })];
}

/**
 * The choices, in a line below that; nothing while they are not open.
 *
 * @param {Muting} muting
 */
export function muteChoices({ name, until, isOpen, mute }) {
  if (!isOpen || isMuted(until)) return [];
  const line = element("p", { className: "actions", ariaLabel: text("mute.begin_it", { name: visible(name) }) });
  line.setAttribute("role", "group");
  line.append(...mutings(Date.now()).map((choice) => button(choice.words, () => mute(choice.until))));
  return [line];
}

/**
 * What is said when it is done.
 *
 * @param {string} name
 * @param {string | null} until
 */
export function muteWords(name, until) {
  return until ? text("mute.done", { name, time: minuteTime(until) }) : text("mute.ended", { name });
}

/** @param {number} now - milliseconds since 1970 */
function mutings(now) {
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
