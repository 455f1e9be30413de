/** What can stand at a place of a query: names of fields, and their values as the log has them now. */

import { pathsOf, valuesAt } from "./payload-paths.js";
import { quoted } from "./query-text.js";
import { ApiError } from "./requests.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 *
 * @typedef {{ text: string, count?: number }} Suggestion
 * @typedef {{ start: number, suggestions: Suggestion[] }} Suggestions - they replace the text from `start` to the caret
 */

const FIELDS = ["severity>=", "severity:", "module:", "type:", "correlation:", "id:", "payload."];
/** Spellings of the fields whose values are counted. */
const COUNTED = new Map([["severity", "severity"], ["module", "module"], ["type", "event_type"],
  ["event_type", "event_type"]]);
const SEVERITIES = ["critical", "error", "warn", "info"];
const VALUES_OF_A_FIELD = 100;
const SHOWN = 8;
/** Values change slowly, and a reader types fast. */
const FRESH_MS = 30_000;
const AT_VALUE = /(?:^|[\s(-])(severity|module|type|event_type)(:|<=|>=|<|>)(\((?:[^()"]*,\s*)?)?([^\s(),"]*)$/;
const AT_PATH = /(?:^|[\s(-])(payload\.(?:"(?:[^"\\]|\\.)*"?|[^\s":<>=()])*)$/;
const AT_PAYLOAD = /(?:^|[\s(-])(payload(?:\.(?:"(?:[^"\\]|\\.)*"|[^\s".:<>=()]+))+):(\((?:[^()"]*,\s*)?)?([^\s(),"]*)$/;
const AT_FIELD = /(?:^|[\s(-])([a-z_]*)$/;

export class SuggestionSource {
  #api;
  #loaded;
  /** @type {Promise<Record<string, Suggestion[]>> | null} */
  #values = null;
  #readAtMs = -Infinity;

  /**
   * @param {Pick<import("./requests.js").ConsoleApi, "get">} api
   * @param {() => OperatorEvent[]} loaded - the newest events that the page has
   */
  constructor(api, loaded) {
    this.#api = api;
    this.#loaded = loaded;
  }

  /**
   * @param {string} text
   * @param {number} caret
   * @returns {Promise<Suggestions>}
   */
  async at(text, caret) {
    const before = text.slice(0, caret);
    const [, field, , , begun = ""] = AT_VALUE.exec(before) ?? [];
    if (field) {
      const known = field === "severity" ? SEVERITIES.map((level) => ({ text: level })) : [];
      const counted = (await this.#read())[COUNTED.get(field) ?? ""] ?? [];
      const others = known.filter(({ text: name }) => !counted.some((value) => value.text === name));
      return { start: caret - begun.length, suggestions: fitting([...counted, ...others], begun) };
    }
    const [, path] = AT_PATH.exec(before) ?? [];
    if (path !== undefined) {
      const paths = pathsOf(this.#loaded()).map((each) => ({ text: `${each}:` }));
      return { start: caret - path.length, suggestions: fitting(paths, path) };
    }
    const [, at, , value = ""] = AT_PAYLOAD.exec(before) ?? [];
    if (at) {
      const values = valuesAt(this.#loaded(), at).map(([words]) => ({ text: quoted(words) }));
      return { start: caret - value.length, suggestions: fitting(values, value) };
    }
    const name = AT_FIELD.exec(before)?.[1];
    if (name === undefined) return { start: caret, suggestions: [] };
    return { start: caret - name.length, suggestions: fitting(FIELDS.map((each) => ({ text: each })), name) };
  }

  #read() {
    const now = performance.now();
    if (!this.#values || now - this.#readAtMs > FRESH_MS) {
      this.#readAtMs = now;
      this.#values = this.#ask();
    }
    return this.#values;
  }

  async #ask() {
    try {
      const fields = [...new Set(COUNTED.values())].join(",");
      const { facets } = await this.#api.get("/events/facets", { fields, limit: VALUES_OF_A_FIELD });
      return Object.fromEntries(
        Object.entries(facets).map(([name, { values }]) => [
          name,
          values.map(({ value, count }) => ({ text: quoted(value), count })),
        ]),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Fields are still offered, and the next text asks again.
      this.#values = null;
      return {};
    }
  }
}

/**
 * @param {Suggestion[]} all
 * @param {string} begun
 */
function fitting(all, begun) {
  const sought = begun.toLowerCase();
  const fit = all.filter(({ text }) => text.toLowerCase().startsWith(sought) && text !== begun);
  return fit.slice(0, SHOWN);
}
