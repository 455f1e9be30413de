/**
 * JSON of events with numbers as they were sent. JavaScript reads every number as a double: 9007199254740993 becomes
 * 9007199254740992, and 1e5, 0.10 and -0 are written otherwise than they came.
 */

/** @import { OperatorEvent } from "./event-client.d.ts" */

/** A text or a number. Each character is read once. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
/** Before a number that is kept as text. The server lets no text of an event have this character. */
const MARK = "\u0000";
const MARKED = /"\\u0000([^"]*)"/g;

/**
 * A value as JSON.parse gives it; each event in it whose payload has numbers that JavaScript would change gets
 * `payload_exact`, the payload with these as marked texts. Raises SyntaxError.
 *
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  const value = JSON.parse(text);
  let changed = false;
  const marked = text.replace(TOKEN, (token) => {
    if (token.startsWith('"') || String(Number(token)) === token) return token;
    changed = true;
    return `"\\u0000${token}"`;
  });
  if (changed) {
    const exact = JSON.parse(marked);
    keep(value, exact);
    if (Array.isArray(value?.events)) {
      for (const [index, event] of value.events.entries()) keep(event, exact.events[index]);
    }
  }
  return value;
}

/**
 * The payload as it is to be shown: numbers that JavaScript would change are marked texts.
 *
 * @param {OperatorEvent} event
 */
export function payloadOf(event) {
  return event.payload_exact ?? event.payload;
}

/**
 * The text of a number that was kept as one; null for every other value.
 *
 * @param {unknown} value
 */
export function numberText(value) {
  return typeof value === "string" && value.startsWith(MARK) ? value.slice(MARK.length) : null;
}

/**
 * The event as JSON, as it came from the server. Callers may leave fields out.
 *
 * @param {Partial<OperatorEvent>} event
 */
export function eventJson({ payload_exact: exact, ...event }, indent = 0) {
  return exact ? json({ ...event, payload: exact }, indent) : JSON.stringify(event, null, indent);
}

/** @param {OperatorEvent} event */
export function payloadJson(event) {
  return event.payload_exact ? json(event.payload_exact) : JSON.stringify(event.payload);
}

/**
 * @param {any} event
 * @param {any} exact - the same, parsed with its numbers as marked texts
 */
function keep(event, exact) {
  if (event?.type === "event" && JSON.stringify(exact.payload).search(MARKED) >= 0) event.payload_exact = exact.payload;
}

/** @param {unknown} value */
function json(value, indent = 0) {
  return JSON.stringify(value, null, indent).replace(MARKED, "$1");
}
