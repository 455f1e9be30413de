/** Values of fields, with how often each occurs in what is asked for: a press includes one, or excludes it. */

import { addressParameters, changeAddress, onStep } from "./address.js";
import { part, partOf, slot } from "./dom.js";
import { FacetList } from "./facet-list.js";
import { EVERYTHING, logQuery } from "./filter.js";
import { Pace } from "./pace.js";
import { chosen, without } from "./query-text.js";
import { ApiError, showRefusal } from "./requests.js";

/**
 * @import { FacetValue } from "./answers.d.ts"
 * @import { Filter } from "./filter.js"
 * @import { Choice } from "./query-text.js"
 *
 * @typedef {{ values: FacetValue[], sample: boolean, complete: boolean }} Counted
 */

const FIELDS = ["severity", "module", "event_type"];
const VALUES_SHOWN = 8;
const REFRESH_MS = 15_000;
/** The API counts ten fields at once. */
const PATHS_LIMIT = 7;
export const PATH = /^payload(?:\.(?:"(?:[^",\\]|\\.)*"|[\p{L}\p{N}_-]+))+$/u;

export class Facets {
  #api;
  #filter = EVERYTHING;
  #place = slot("facets");
  #refusal = slot("facets-refusal");
  #path = partOf(HTMLInputElement, "[name=facet]");
  /** @type {Map<string, FacetList>} */
  #lists = new Map();
  #asking = new AbortController();
  #pace = new Pace(REFRESH_MS, () => this.refresh());
  #running = false;
  /** Whether something came since the last counting: where nothing happens, nothing is asked. */
  #stale = true;
  #choose;

  /**
   * @param {Pick<import("./requests.js").ConsoleApi, "get">} api
   * @param {(field: string, value: string, choice: Choice, wanted: boolean) => void} choose
   */
  constructor(api, choose) {
    this.#api = api;
    this.#choose = choose;
    for (const field of [...FIELDS, ...pathsOfAddress()]) this.#add(field);
    part(".facet-form").addEventListener("submit", (submit) => {
      submit.preventDefault();
      if (this.add(this.#path.value.trim())) this.#path.value = "";
    });
    onStep(() => this.#follow());
    this.#path.addEventListener("input", () => this.#path.setCustomValidity(""));
  }

  start() {
    this.#running = this.#stale = true;
    this.#pace.start();
  }

  stop() {
    this.#running = false;
    this.#pace.stop();
  }

  /**
   * Counts something else from now on.
   *
   * @param {Filter} filter
   */
  ask(filter) {
    this.#filter = filter;
    this.#stale = true;
    for (const list of this.#lists.values()) list.showChosen(filter.text);
    if (this.#running) this.#pace.soon();
  }

  /**
   * Counts a field of the payload, too; whether it can be one.
   *
   * @param {string} path - such as payload.http.status
   */
  add(path) {
    const full = path.startsWith("payload.") ? path : `payload.${path}`;
    if (!PATH.test(full) || this.#paths.length >= PATHS_LIMIT) {
      this.#path.setCustomValidity(this.#path.title);
      this.#path.reportValidity();
      return false;
    }
    part(".facets").setAttribute("open", "");
    if (!this.#lists.has(full)) this.#add(full);
    this.#changed();
    return true;
  }

  /** An event has come: the counts are no longer those of now. */
  note() {
    this.#stale = true;
  }

  async refresh() {
    if (!this.#stale) return this.#pace.next();
    this.#stale = false;
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    try {
      await Promise.all(this.#questions().map(([text, fields]) => this.#read(text, fields, signal)));
      if (!signal.aborted) showRefusal(this.#refusal, null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (signal.aborted) return;
      this.#stale = true;
      showRefusal(this.#refusal, error);
    }
    this.#pace.next();
  }

  get #paths() {
    return [...this.#lists.keys()].filter((field) => !FIELDS.includes(field));
  }

  /**
   * Of a field of which some values are included, the others are counted as well: another one may be wanted.
   *
   * @returns {[string, string[]][]}
   */
  #questions() {
    const { text } = this.#filter;
    const fields = [...this.#lists.keys()];
    const narrowed = fields.filter((field) => chosen(text, field, "include").size);
    const others = fields.filter((field) => !narrowed.includes(field));
    /** @type {[string, string[]][]} */
    const questions = narrowed.map((field) => [without(text, field), [field]]);
    return others.length ? [...questions, [text, others]] : questions;
  }

  /**
   * @param {string} text
   * @param {string[]} fields
   * @param {AbortSignal} signal
   */
  async #read(text, fields, signal) {
    const query = { ...logQuery({ ...this.#filter, text }), fields: fields.join(","), limit: VALUES_SHOWN };
    const { facets, complete } = await this.#api.get("/events/facets", query, { signal });
    if (signal.aborted) return;
    for (const field of fields) {
      if (facets[field]) this.#lists.get(field)?.show({ ...facets[field], complete }, this.#filter.text);
    }
  }

  /** @param {string} field */
  #add(field) {
    const remove = FIELDS.includes(field) ? null : () => this.#remove(field);
    const list = new FacetList(field, { choose: (...chosen) => this.#choose(field, ...chosen), remove });
    this.#lists.set(field, list);
    this.#place.append(list.element);
  }

  /** Counts the fields that the address names now. */
  #follow() {
    const wanted = pathsOfAddress();
    const gone = this.#paths.filter((path) => !wanted.includes(path));
    const more = wanted.filter((path) => !this.#lists.has(path));
    for (const path of gone) this.#drop(path);
    for (const path of more) this.#add(path);
    if (gone.length || more.length) this.ask(this.#filter);
  }

  /** @param {string} field */
  #drop(field) {
    this.#lists.get(field)?.element.remove();
    this.#lists.delete(field);
  }

  /** @param {string} field */
  #remove(field) {
    this.#drop(field);
    this.#path.focus();
    this.#changed();
  }

  #changed() {
    changeAddress({ facets: this.#paths.join(",") });
    this.ask(this.#filter);
  }
}

function pathsOfAddress() {
  const paths = (addressParameters().get("facets") ?? "").split(",").filter((path) => PATH.test(path));
  return [...new Set(paths)].slice(0, PATHS_LIMIT);
}
