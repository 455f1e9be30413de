/** An event as a query looks at it: its fields, the words of its texts, the values of its payload. */

import { numberText, payloadOf } from "./exact.js";
import { words } from "./query-words.js";

/**
 * @import { OperatorEvent } from "./event-client.d.ts"
 *
 * @typedef {"severity" | "event_type" | "module" | "correlation_id" | "event_id"} FieldName
 * @typedef {Record<string, unknown>} Json
 */

/** @type {("summary" | FieldName)[]} */
const WORD_FIELDS = ["summary", "event_type", "module", "correlation_id", "event_id"];

export class EventView {
  #event;
  /** @type {string | null} */
  #words = null;

  /** @param {OperatorEvent} event - as the client hands it over, with `payload_exact` where numbers need it */
  constructor(event) {
    this.#event = event;
  }

  /**
   * @param {FieldName} name
   * @returns {string}
   */
  field(name) {
    return this.#event[name];
  }

  /** The words of fields and of the payload's keys and scalars: a space before and behind each, a line a text. */
  get words() {
    if (this.#words === null) {
      const texts = [...WORD_FIELDS.map((name) => this.#event[name]), ...textsIn(payloadOf(this.#event))];
      this.#words = texts.map((text) => ` ${words(text).join(" ")} `).join("\n");
    }
    return this.#words;
  }

  /**
   * What stands at this path into the payload: of a list, its elements. Objects too, which are no scalars.
   *
   * @param {string[]} path
   */
  at(path) {
    /** @type {unknown[]} */
    let found = [payloadOf(this.#event)];
    for (const key of path) {
      found = flat(found).flatMap((item) => (isObject(item) && Object.hasOwn(item, key) ? [item[key]] : []));
    }
    return flat(found);
  }
}

/** @param {unknown} value */
export function isScalar(value) {
  return typeof value !== "object" || value === null;
}

/** @param {unknown} value */
export function isNumber(value) {
  return typeof value === "number" || numberText(value) !== null;
}

/**
 * A text as it is; anything else as it stands in the JSON that was published.
 *
 * @param {unknown} scalar
 */
export function textOf(scalar) {
  return numberText(scalar) ?? String(scalar);
}

/**
 * @param {unknown} value
 * @returns {value is Json}
 */
function isObject(value) {
  return !isScalar(value) && !Array.isArray(value);
}

/**
 * With the elements of lists in place of the lists, however deep lists stand in lists.
 *
 * @param {unknown[]} items
 */
function flat(items) {
  return items.some(Array.isArray) ? items.flat(Infinity) : items;
}

/**
 * Of scalars and keys.
 *
 * @param {unknown} payload
 */
function textsIn(payload) {
  const texts = [];
  const pending = [payload];
  while (pending.length) {
    const item = pending.pop();
    if (Array.isArray(item)) {
      for (const element of item) pending.push(element);
    } else if (isObject(item)) {
      for (const [key, value] of Object.entries(item)) {
        texts.push(key);
        pending.push(value);
      }
    } else texts.push(textOf(item));
  }
  return texts;
}
