/** The text of a query, read from its beginning: signs, quotes and values. As events/query/scanner.py on the server. */

/** All control characters, all spaces, and marks of direction, which are not seen: they stand between terms. */
const VISIBLE_SPACE = "\\p{Cc}\\p{Z}";
const SPACE = `${VISIBLE_SPACE}\\p{Bidi_Control}\\ufeff`;
const PATTERNS = {
  gap: sticky(`[${VISIBLE_SPACE}]`),
  spaces: sticky(`[${SPACE}]*`),
  bare: sticky(`[^${SPACE}()":<>]+`),
  value: sticky(`[^${SPACE}(),"]+`),
  key: sticky(`(?:[A-Za-z0-9_\\-]|[^\\p{ASCII}${SPACE}])+`),
  operator: sticky("<=|>=|:|<|>"),
  quoted: sticky('"(?:[^"\\\\]|\\\\["\\\\])*"'),
  keyword: sticky(`(?:AND|OR|NOT)(?=[${SPACE}()"]|$)`),
};

/** A mistake in a query: where it is, how long it is, and a sentence that says what would be right. */
export class BadQuery extends Error {
  /**
   * @param {number} position - in code points, as on the server; `rangeOf` makes places of the text of them
   * @param {number} length - in code points; 0: something is missing at this place
   * @param {string} message - a sentence
   */
  constructor(position, length, message) {
    super(message);
    this.position = position;
    this.length = length;
  }
}

/**
 * A value with its place; `prefix`: behind it stood a star.
 *
 * @typedef {{ text: string, prefix: boolean, start: number, end: number }} Value
 */

/** `at` is the place up to which the text has been read. Each method goes on from there, or throws BadQuery. */
export class Scanner {
  at = 0;

  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  get isAtEnd() {
    return this.at === this.text.length;
  }

  /** @param {string} sign */
  isAt(sign) {
    return this.text.startsWith(sign, this.at);
  }

  /** Whether a space is here that can be seen. */
  get isAtGap() {
    return this.#found("gap") !== "";
  }

  get isAtOperator() {
    return this.#found("operator") !== "";
  }

  skipSpace() {
    this.#read("spaces");
  }

  /**
   * Reads the sign if it is here.
   *
   * @param {string} sign
   */
  takes(sign) {
    if (!this.isAt(sign)) return false;
    this.at += sign.length;
    return true;
  }

  /** AND, OR or NOT if one of them is here, else empty; it is not read. */
  get keyword() {
    return this.#found("keyword");
  }

  /** A word without quotes; empty if none is here. */
  bare() {
    return this.#read("bare");
  }

  /** A key of a path; empty if none is here. */
  key() {
    return this.isAt('"') ? this.quoted() : this.#read("key");
  }

  /** Empty if none is here. */
  operator() {
    return this.#read("operator");
  }

  quoted() {
    const text = this.#read("quoted");
    if (!text) {
      const sentence = String.raw`These quotes are not closed. In quotes, \" and \\ stand for the two signs.`;
      this.fail(this.at, this.text.length, sentence);
    }
    return text.slice(1, -1).replace(/\\(["\\])/g, "$1");
  }

  /** @returns {Value} */
  value() {
    if (this.isAtGap && !"(,".includes(this.text[this.at - 1])) {
      this.failAt(this.at, "The value follows directly, without a space.");
    }
    this.skipSpace();
    const start = this.at;
    if (this.isAt('"')) {
      const text = this.quoted();
      return { text, prefix: this.takes("*"), start, end: this.at };
    }
    const text = this.#read("value");
    if (!text) this.failHere("Here a value is missing.");
    const star = text.slice(0, -1).indexOf("*");
    if (star >= 0) this.failAt(start + star, "A star stands at the end of a value only, as in type:http.*");
    return { ...withoutStar(text), start, end: this.at };
  }

  /**
   * @param {number} start - in UTF-16, as everything here but the mistake
   * @param {number} end
   * @param {string} sentence
   * @returns {never}
   */
  fail(start, end, sentence) {
    throw new BadQuery(codePoints(this.text.slice(0, start)), codePoints(this.text.slice(start, end)), sentence);
  }

  /**
   * About one sign.
   *
   * @param {number} start
   * @param {string} sentence
   * @returns {never}
   */
  failAt(start, sentence) {
    this.fail(start, start + ((this.text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1), sentence);
  }

  /**
   * About the word of the language, or the sign, that is here, or about the end.
   *
   * @param {string} sentence
   * @returns {never}
   */
  failHere(sentence) {
    const { keyword } = this;
    if (!keyword && !this.isAtEnd) this.failAt(this.at, sentence);
    this.fail(this.at, this.at + keyword.length, sentence);
  }

  /** @param {keyof typeof PATTERNS} name */
  #found(name) {
    const pattern = PATTERNS[name];
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0] ?? "";
  }

  /** @param {keyof typeof PATTERNS} name */
  #read(name) {
    const found = this.#found(name);
    this.at += found.length;
    return found;
  }
}

/** @param {string} text */
export function withoutStar(text) {
  const prefix = text.endsWith("*");
  return { text: prefix ? text.slice(0, -1) : text, prefix };
}

/** @param {string} text */
export function codePoints(text) {
  return [...text].length;
}

/** @param {string} pattern */
function sticky(pattern) {
  return new RegExp(pattern, "uy");
}
