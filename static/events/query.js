/**
 * The language of queries in a browser, with the server's meaning: the same events pass, and mistakes have the same
 * places and sentences. Tests compare the two for thousands of queries and events. They can differ only in letters that
 * one of them does not know because its Unicode is older; new emoji and ideographs are words in both.
 *
 *     const query = parse("severity>=warn -type:http.*");
 *     query.matches(event);
 */

import { Parser } from "./query-parser.js";
import { BadQuery, codePoints } from "./query-scanner.js";
import { EventView } from "./query-view.js";

/**
 * @import { OperatorEvent } from "./event-client.d.ts"
 * @import { Predicate } from "./query-predicates.js"
 */

export { BadQuery };

const LENGTH_LIMIT_CHARACTERS = 1_000;

export class Query {
  #predicate;

  /**
   * @param {string} text
   * @param {Predicate} predicate
   */
  constructor(text, predicate) {
    this.text = text;
    this.#predicate = predicate;
  }

  /**
   * Whether an event passes. Numbers are compared as they were published if it was read by exact.js, which the event
   * client does; an event from JSON.parse has the numbers that JavaScript made of them.
   *
   * @param {OperatorEvent} event
   */
  matches(event) {
    return this.#predicate(new EventView(event));
  }
}

/**
 * @param {string} text
 * @returns {Query}
 * @throws {BadQuery}
 */
export function parse(text) {
  const over = codePoints(text) - LENGTH_LIMIT_CHARACTERS;
  if (over > 0) {
    const sentence = `A query has at most ${LENGTH_LIMIT_CHARACTERS} characters.`;
    throw new BadQuery(LENGTH_LIMIT_CHARACTERS, over, sentence);
  }
  return new Query(text, new Parser(text).whole());
}

/**
 * Where a mistake stands in the text, as `setSelectionRange` takes it: the server and BadQuery count code points,
 * JavaScript counts UTF-16.
 *
 * @param {string} text
 * @param {{ position: number, length: number }} mistake
 * @returns {[start: number, end: number]}
 */
export function rangeOf(text, { position, length }) {
  const letters = [...text];
  const start = letters.slice(0, position).join("").length;
  return [start, start + letters.slice(position, position + length).join("").length];
}
