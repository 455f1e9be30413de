/** From the text of a query to a predicate, as events/query/parser.py on the server reads it. */

import { readDecimal } from "./query-decimals.js";
import * as predicates from "./query-predicates.js";
import { Scanner, withoutStar } from "./query-scanner.js";
import { words } from "./query-words.js";

/**
 * @import { Predicate } from "./query-predicates.js"
 * @import { Value } from "./query-scanner.js"
 * @import { FieldName } from "./query-view.js"
 */

const LIMIT_TERMS = 32;
const LIMIT_LEVELS = 8;
/**
 * Short names, and the fields of an event they stand for.
 *
 * @type {Map<string, FieldName>}
 */
const FIELDS = new Map([
  ["type", "event_type"],
  ["event_type", "event_type"],
  ["module", "module"],
  ["correlation", "correlation_id"],
  ["correlation_id", "correlation_id"],
  ["id", "event_id"],
  ["event_id", "event_id"],
]);
/** Spellings of severities. */
const SEVERITY_NAMES = [...predicates.SEVERITIES.map((name) => [name, name]), ["warning", "warn"]];
/** A name that can be repeated in a sentence: what is longer or has other signs would make it hard to read. */
const PLAIN_NAME = /^[A-Za-z0-9_.\-]{1,40}$/;

/** AND binds closer than OR, and is what stands between two terms when nothing does. */
export class Parser {
  #scanner;
  #terms = 0;

  /** @param {string} text */
  constructor(text) {
    this.#scanner = new Scanner(text);
  }

  whole() {
    const scanner = this.#scanner;
    scanner.skipSpace();
    if (scanner.isAtEnd) scanner.fail(0, 0, "The query is empty: write a word, or field:value.");
    const predicate = this.#either(0);
    if (!scanner.isAtEnd) {
      scanner.failAt(scanner.at, "This parenthesis closes nothing: take it away, or open one before.");
    }
    return predicate;
  }

  /** @param {number} level */
  #either(level) {
    const parts = [this.#both(level)];
    while (this.#scanner.keyword === "OR") {
      this.#scanner.takes("OR");
      parts.push(this.#both(level));
    }
    return predicates.any(parts);
  }

  /**
   * Up to OR, a closing parenthesis or the end.
   *
   * @param {number} level
   */
  #both(level) {
    const scanner = this.#scanner;
    const parts = [this.#one(level)];
    scanner.skipSpace();
    while (!scanner.isAtEnd && !scanner.isAt(")") && scanner.keyword !== "OR") {
      if (scanner.keyword === "AND") scanner.takes("AND");
      parts.push(this.#one(level));
      scanner.skipSpace();
    }
    return predicates.all(parts);
  }

  /**
   * @param {number} level
   * @returns {Predicate}
   */
  #one(level) {
    const scanner = this.#scanner;
    scanner.skipSpace();
    const start = scanner.at;
    if (scanner.isAtEnd || scanner.isAt(")") || ["OR", "AND"].includes(scanner.keyword)) {
      scanner.failHere("Here a term is missing, such as a word or field:value.");
    }
    if (scanner.keyword === "NOT") {
      scanner.takes("NOT");
      return predicates.not(this.#one(this.#deeper(start, level)));
    }
    if (scanner.takes("-")) {
      if (scanner.isAtEnd || scanner.isAtGap) {
        scanner.failAt(start, "A minus stands directly before what must not be there.");
      }
      return predicates.not(this.#one(this.#deeper(start, level)));
    }
    if (scanner.takes("(")) {
      const predicate = this.#either(this.#deeper(start, level));
      this.#close(start);
      return predicate;
    }
    return this.#term();
  }

  /**
   * @param {number} start
   * @param {number} level
   */
  #deeper(start, level) {
    if (level === LIMIT_LEVELS) {
      const sentence = `A query has at most ${LIMIT_LEVELS} levels of parentheses and negations.`;
      this.#scanner.fail(start, this.#scanner.at, sentence);
    }
    return level + 1;
  }

  #term() {
    const scanner = this.#scanner;
    const start = scanner.at;
    this.#count(start, 1);
    if (scanner.isAt('"')) return this.#phrase({ text: scanner.quoted(), prefix: scanner.takes("*") }, start);
    if (scanner.isAt("payload.")) return this.#payload();
    const bare = scanner.bare();
    if (!bare) {
      const sign = scanner.text[start];
      scanner.failAt(start, `A ${sign} stands behind a field, as in severity>=warn. In quotes it is part of a text.`);
    }
    if (scanner.isAtOperator) return this.#field(bare, start);
    const star = bare.slice(0, -1).indexOf("*");
    if (star >= 0) scanner.failAt(start + star, "A star stands at the end only: conn* finds connection.");
    return this.#phrase(withoutStar(bare), start);
  }

  /**
   * @param {number} start
   * @param {number} terms
   */
  #count(start, terms) {
    this.#terms += terms;
    if (this.#terms > LIMIT_TERMS) {
      const sentence = `A query has at most ${LIMIT_TERMS} terms, and each value in a list is one.`;
      this.#scanner.fail(start, this.#scanner.text.length, sentence);
    }
  }

  /**
   * @param {{ text: string, prefix: boolean }} wanted
   * @param {number} start
   */
  #phrase({ text, prefix }, start) {
    const found = words(text);
    if (!found.length) {
      this.#scanner.fail(start, this.#scanner.at, "This holds no word: letters or digits are needed.");
    }
    // Behind a word's letter, a star asks for words that begin so. Behind a point, the word before is whole: http.*
    return predicates.phrase(found, prefix && words(`${text}x`).length === found.length);
  }

  /**
   * @param {string} name
   * @param {number} start
   */
  #field(name, start) {
    const scanner = this.#scanner;
    if (name === "severity") return this.#severity();
    const field = FIELDS.get(name);
    if (!field) {
      const which = PLAIN_NAME.test(name) ? `is no field ${name}` : "is no such field";
      const known = "severity, type, module, correlation, id and payload.<path>";
      const quotes = "To look for this text, put all of it in quotes.";
      return scanner.fail(start, start + name.length, `There ${which}; there are ${known}. ${quotes}`);
    }
    const operatorAt = scanner.at;
    if (scanner.operator() !== ":") {
      scanner.fail(operatorAt, scanner.at, `${name} has no order: write ${name}:value.`);
    }
    return predicates.field(field, this.#values());
  }

  #severity() {
    const operator = this.#scanner.operator();
    if (operator === ":") {
      return predicates.severity(new Set(this.#values().flatMap((value) => this.#severities(value))));
    }
    const value = this.#single(operator);
    if (value.prefix) this.#noSuchSeverity(value);
    const names = predicates.SEVERITIES;
    const wanted = names.indexOf(this.#severities(value)[0]);
    const allowed = names.filter((_, rank) => predicates.COMPARISONS[operator](rank - wanted));
    return predicates.severity(new Set(allowed));
  }

  /**
   * Those that are meant, in either of their spellings and in any case.
   *
   * @param {Value} value
   */
  #severities(value) {
    const text = value.text.toLowerCase();
    const fits = (/** @type {string} */ spelling) => (value.prefix ? spelling.startsWith(text) : spelling === text);
    const found = SEVERITY_NAMES.filter(([spelling]) => fits(spelling)).map(([, name]) => name);
    return found.length ? found : this.#noSuchSeverity(value);
  }

  /**
   * @param {Value} value
   * @returns {never}
   */
  #noSuchSeverity({ start, end }) {
    const sentence = `There is no such severity; there are ${predicates.SEVERITIES.join(", ")}.`;
    return this.#scanner.fail(start, end, sentence);
  }

  #payload() {
    const scanner = this.#scanner;
    const start = scanner.at;
    const path = this.#path();
    const operator = scanner.operator();
    if (operator in predicates.COMPARISONS) {
      const value = this.#single(operator);
      const number = readDecimal(value.text);
      if (!number || value.prefix) {
        return scanner.fail(value.start, value.end, `Behind ${operator} stands a number, such as 500 or -0.5.`);
      }
      return predicates.compared(path, operator, number);
    }
    if (!operator) {
      scanner.fail(start, scanner.at, "Behind a path stands :value, a comparison such as >=10, or :*.");
    }
    const values = this.#values();
    const present = values.some(({ text, prefix }) => prefix && !text);
    return present ? predicates.present(path) : predicates.equal(path, values);
  }

  #path() {
    const scanner = this.#scanner;
    scanner.takes("payload");
    const keys = [];
    while (scanner.takes(".")) {
      const quoted = scanner.isAt('"');
      const key = scanner.key();
      if (!key && !quoted) {
        scanner.failHere('Here a key is missing. One with other signs stands in quotes: payload."a b":1.');
      }
      keys.push(key);
    }
    // Behind these stands no key; what is wrong with a=1 is not the key.
    const ends = scanner.isAtEnd || scanner.isAtOperator || scanner.isAtGap || [...")=!*"].some((s) => scanner.isAt(s));
    if (!ends) {
      scanner.failAt(scanner.at, 'This cannot stand in a key without quotes. With them it can: payload."a b":1.');
    }
    return keys;
  }

  /** One, or several in parentheses. */
  #values() {
    const scanner = this.#scanner;
    const start = scanner.at;
    if (!scanner.takes("(")) return [this.#single(":")];
    const values = [scanner.value()];
    scanner.skipSpace();
    while (scanner.takes(",")) {
      values.push(scanner.value());
      scanner.skipSpace();
    }
    this.#close(start);
    this.#count(start, values.length - 1);
    return values;
  }

  /** @param {string} operator */
  #single(operator) {
    const scanner = this.#scanner;
    if (scanner.isAt("(")) scanner.failAt(scanner.at, `Behind ${operator} stands one value.`);
    const value = scanner.value();
    if (scanner.isAt(",")) {
      scanner.failAt(scanner.at, "Several values stand behind a colon, in parentheses: module:(a,b).");
    }
    return value;
  }

  /** @param {number} openedAt */
  #close(openedAt) {
    const scanner = this.#scanner;
    if (scanner.takes(")")) return;
    if (!scanner.isAtEnd) scanner.failAt(scanner.at, "Values in parentheses are separated by commas.");
    scanner.failAt(openedAt, "This parenthesis is not closed.");
  }
}
