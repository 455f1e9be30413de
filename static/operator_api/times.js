/** Times as the reader wants them: those of the device or UTC, in the page's language. */

import { addressParameters, changeAddress } from "./address.js";

/** What happened and was stored so soon after has one time. */
const SAME_TIME_MS = 1_000;
const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
/** Spanish would write 8:34 for itself, and columns of times would not stand below each other. */
const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** @type {(() => void)[]} */
const listeners = [];
/** @type {Record<"time" | "minutes" | "day" | "date" | "year" | "long", Intl.DateTimeFormat> | null} */
let formats = null;
let utc = addressParameters().get("time") === "utc";

/**
 * When it happened, if that differs from when it was stored: lines that were imported are of another time.
 *
 * @param {{ created_at: string, occurred_at: string | null }} event
 */
export function happenedAt({ created_at: stored, occurred_at: happened }) {
  if (happened === null) return stored;
  return Math.abs(Date.parse(happened) - Date.parse(stored)) > SAME_TIME_MS ? happened : stored;
}

/**
 * Hours to milliseconds; the day instead of the milliseconds when it is not today, with the year, and no seconds, when it is another.
 *
 * @param {string} iso
 */
export function shortTime(iso) {
  const moment = new Date(iso);
  const { date, day, minutes, time, year } = zone();
  if (year.format(moment) !== year.format(Date.now())) return `${date.format(moment)} ${minutes.format(moment)}`;
  if (day.format(moment) !== day.format(Date.now())) return `${day.format(moment)} ${time.format(moment)}`;
  return `${time.format(moment)}.${milliseconds(moment)}`;
}

/**
 * Hours and minutes; with the day when it is not today.
 *
 * @param {string | number} moment
 */
export function minuteTime(moment) {
  const { day, minutes } = zone();
  const date = new Date(moment);
  const time = minutes.format(date);
  return day.format(date) === day.format(Date.now()) ? time : `${day.format(date)} ${time}`;
}

/** @param {string} iso */
export function longTime(iso) {
  return zone().long.format(new Date(iso));
}

/**
 * The same with its milliseconds.
 *
 * @param {string} iso
 */
export function exactTime(iso) {
  const moment = new Date(iso);
  const parts = zone().long.formatToParts(moment);
  const exact = parts.map(({ type, value }) => (type === "second" ? `${value}.${milliseconds(moment)}` : value)).join("");
  return `${exact} ${utc ? "UTC" : ""}`.trim();
}

/** @param {number} moment - milliseconds since 1970 */
export function hoursAndMinutes(moment) {
  return zone().minutes.format(moment);
}

/**
 * Hours to seconds; with the day when it is not today, and the year, without seconds, when that is another.
 *
 * @param {number} moment - milliseconds since 1970
 */
export function momentWords(moment) {
  const { date, day, minutes, time, year } = zone();
  if (year.format(moment) !== year.format(Date.now())) return `${date.format(moment)} ${minutes.format(moment)}`;
  const words = time.format(moment);
  return day.format(moment) === day.format(Date.now()) ? words : `${day.format(moment)} ${words}`;
}

/** @param {number} moment - milliseconds since 1970 */
export function dayWords(moment) {
  const { date, day, year } = zone();
  return (year.format(moment) === year.format(Date.now()) ? day : date).format(moment);
}

/**
 * By how much the reader's clock is ahead of UTC.
 *
 * @param {number} moment
 */
export function zoneOffsetMs(moment) {
  return utc ? 0 : -new Date(moment).getTimezoneOffset() * 60_000;
}

/**
 * `5 sec`, `2 min`, `1 hr`, `2 days`
 *
 * @param {number} value
 */
export function seconds(value) {
  const [unit, count] = value % 86_400 === 0
    ? ["day", value / 86_400]
    : value % 3600 === 0
    ? ["hour", value / 3600]
    : value >= 60
    ? ["minute", value / 60]
    : ["second", value];
  const format = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(locale, /** @type {Intl.NumberFormatOptions} */ (format)).format(Number(count));
}

/**
 * `1:09:05` or `9:43`.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/**
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

/**
 * What a field for date and time holds, as an ISO time.
 *
 * @param {string} value
 */
export function fieldToIso(value) {
  return new Date(utc ? `${value}Z` : value).toISOString();
}

/**
 * An ISO time as such a field holds it.
 *
 * @param {string} iso
 */
export function isoToField(iso) {
  const moment = new Date(iso);
  return new Date(moment.getTime() + zoneOffsetMs(moment.getTime())).toISOString().slice(0, 19);
}

export function isUtc() {
  return utc;
}

/** @param {boolean} wanted */
export function useUtc(wanted) {
  utc = wanted;
  formats = null;
  changeAddress({ time: utc ? "utc" : "" });
  for (const listener of listeners) listener();
}

/** @param {() => void} listener */
export function onZoneChange(listener) {
  listeners.push(listener);
}

/** @param {Date} moment */
function milliseconds(moment) {
  return String(moment.getMilliseconds()).padStart(3, "0");
}

function zone() {
  const timeZone = utc ? "UTC" : undefined;
  const format = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
    new Intl.DateTimeFormat(locale, { timeZone, ...options });
  formats ??= {
    time: format({ ...CLOCK, second: "2-digit" }),
    minutes: format(CLOCK),
    day: format({ day: "2-digit", month: "short" }),
    date: format({ dateStyle: "short" }),
    year: format({ year: "numeric" }),
    long: format({ ...CLOCK, year: "numeric", month: "long", day: "numeric", second: "2-digit", timeZoneName: "short" }),
  };
  return formats;
}
