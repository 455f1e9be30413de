/** The field of the query: its mistakes, underlined where they stand, and its suggestions. */

import { BadQuery, parse, rangeOf } from "../events/query.js";
import { Completion } from "./completion.js";
import { element, part, partOf, slot, targetOf } from "./dom.js";
import { afterPress } from "./press.js";
import { translated } from "./mistakes.js";
import { text } from "./texts.js";

/** @typedef {{ position: number, length: number, message: string }} Mistake */

const TYPING_MS = 250;

export class QueryLine {
  #field = partOf(HTMLInputElement, "#query");
  #echo = slot("query-echo");
  #mistake = slot("query-mistake");
  #completion;
  #changed;
  /** @type {number | undefined} */
  #timer;
  /** Whether something was typed that was not read yet. */
  #unread = false;
  #readNow = () => this.#read();

  /**
   * @param {import("./suggestions.js").SuggestionSource} source
   * @param {(query: string) => void} changed - called with each text that has no mistake
   * @param {() => void} left - called when the reader leaves the field with Escape
   */
  constructor(source, changed, left) {
    this.#changed = changed;
    const list = part("#query-suggestions");
    this.#completion = new Completion(this.#field, list, (...place) => source.at(...place), () => this.#typed());
    this.#field.addEventListener("input", () => {
      this.#typed();
      this.#completion.open();
    });
    this.#field.addEventListener("keydown", (press) => {
      if (press.key !== "Escape" || press.isComposing || press.defaultPrevented) return;
      press.stopPropagation();
      left();
    });
    this.#field.addEventListener("scroll", () => (this.#echo.scrollLeft = this.#field.scrollLeft));
    this.#field.addEventListener("blur", () => afterPress(this.#readNow));
    // A press elsewhere means what the reader sees in the field; programs that read to people press without a focus.
    addEventListener("click", (press) => {
      if (this.#unread && !targetOf(press)?.closest(".query")) this.#read();
    }, { capture: true });
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** Reads the text now. */
  submit() {
    this.#completion.close();
    this.#read();
  }

  /**
   * Shows a text of the page, not of the reader; whether it has no mistake. Spaces around what is typed at this moment
   * stay.
   *
   * @param {string} query
   */
  show(query) {
    clearTimeout(this.#timer);
    this.#unread = false;
    if (this.#field.value.trim() !== query.trim()) this.#field.value = query;
    return this.#check();
  }

  /**
   * Underlines a mistake; null takes it away.
   *
   * @param {Mistake | null} mistake
   */
  showMistake(mistake) {
    const { value } = this.#field;
    this.#field.ariaInvalid = String(mistake !== null);
    const sentence = mistake ? text("query.mistake", { sentence: translated(mistake.message) }) : "";
    if (this.#mistake.textContent !== sentence) this.#mistake.textContent = sentence;
    this.#mistake.hidden = mistake === null;
    this.#echo.replaceChildren();
    if (!mistake) return;
    const [start, end] = rangeOf(value, mistake);
    const wrong = element("u", { textContent: value.slice(start, end) || "\u00a0\u00a0" });
    this.#echo.append(value.slice(0, start), wrong, value.slice(end));
    this.#echo.scrollLeft = this.#field.scrollLeft;
  }

  #typed() {
    clearTimeout(this.#timer);
    // The place of a mistake is that in the text of before.
    this.#echo.replaceChildren();
    this.#unread = true;
    this.#timer = setTimeout(() => afterPress(this.#readNow), TYPING_MS);
  }

  #read() {
    clearTimeout(this.#timer);
    this.#unread = false;
    if (this.#check()) this.#changed(this.#field.value.trim());
  }

  #check() {
    const { value } = this.#field;
    try {
      if (value.trim()) parse(value);
      this.showMistake(null);
      return true;
    } catch (error) {
      if (!(error instanceof BadQuery)) throw error;
      // While suggestions are shown, the reader is at it.
      this.showMistake(this.#completion.isOpen ? null : error);
      return false;
    }
  }
}
