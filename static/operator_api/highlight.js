/** Marks what a query looks for in the texts that are shown. Words are those of the query language. */

import { words } from "../events/query-words.js";
import { element } from "./dom.js";
import { tokensOf } from "./query-text.js";

/** @typedef {{ words: string[], prefix: boolean }} Sought */

const WORD = /[\p{L}\p{N}\p{M}\p{So}]+/gu;
const QUOTED = /^"((?:[^"\\]|\\.)*)"(\*?)$/s;
const VALUE = /^[^":]*(?:"(?:[^"\\]|\\.)*"[^":]*)*:(.+)$/s;
/** @type {Sought[]} */
let sought = [];

/**
 * Sets what is marked from now on: words, texts in quotes, and values of fields that must be there.
 *
 * @param {string} text - of the query
 */
export function seek(text) {
  sought = soughtIn(text);
}

/**
 * @param {string} text
 * @returns {Sought[]}
 */
function soughtIn(text) {
  const tokens = tokensOf(text).map(({ token }) => token);
  return tokens.flatMap((token, at) => {
    if (token.startsWith("-") || tokens[at - 1] === "NOT" || ["OR", "AND", "NOT"].includes(token)) return [];
    if (token.startsWith("(")) return soughtIn(token.slice(1, -1));
    const [, list] = token.startsWith('"') ? [] : VALUE.exec(token) ?? [];
    const values = list ? list.replace(/^\((.*)\)$/s, "$1").match(/"(?:[^"\\]|\\.)*"\*?|[^,"\s]+/g) ?? [] : [token];
    return values.flatMap((value) => soughtAs(value));
  });
}

/**
 * @param {string} value - as written
 * @returns {Sought[]}
 */
function soughtAs(value) {
  const [, inside, star] = QUOTED.exec(value) ?? [];
  if (inside === undefined && /[<>]/.test(value)) return [];
  const plain = inside === undefined ? value.replace(/\*$/, "") : inside.replace(/\\(.)/g, "$1");
  const found = words(plain);
  return found.length ? [{ words: found, prefix: star === "*" || (inside === undefined && value.endsWith("*")) }] : [];
}

/**
 * A text as nodes, with what is sought in `mark` elements.
 *
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
export function marked(text) {
  if (!sought.length) return [text];
  /** @type {(string | HTMLElement)[]} */
  const nodes = [];
  let done = 0;
  for (const [start, end] of placesIn(text)) {
    if (start < done) continue;
    nodes.push(text.slice(done, start));
    nodes.push(element("mark", { textContent: text.slice(start, end) }));
    done = end;
  }
  return [...nodes, text.slice(done)].filter((node) => node !== "");
}

/** @param {string} text */
function placesIn(text) {
  const parts = [...text.matchAll(WORD)].flatMap((match) => {
    const place = { start: match.index, end: match.index + match[0].length };
    return words(match[0]).map((word) => ({ word, ...place }));
  });
  /** @type {[number, number][]} */
  const places = [];
  for (let at = 0; at < parts.length; at += 1) {
    for (const phrase of sought) {
      if (!standsAt(parts, at, phrase)) continue;
      places.push([parts[at].start, parts[at + phrase.words.length - 1].end]);
    }
  }
  return places;
}

/**
 * @param {{ word: string }[]} parts
 * @param {number} at
 * @param {Sought} phrase
 */
function standsAt(parts, at, phrase) {
  const last = phrase.words.length - 1;
  return phrase.words.every((word, index) => {
    const found = parts[at + index]?.word;
    return index === last && phrase.prefix ? found?.startsWith(word) : found === word;
  });
}
