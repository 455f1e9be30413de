/** Requests of the page to the API with the session cookie. A refusal is an ApiError, which has the text to show. */

import { parse } from "../events/exact.js";
import { retryAfterMs } from "../events/retry.js";
import { behind } from "./dom.js";
import { translated } from "./mistakes.js";
import { textIfAny } from "./texts.js";

/** @import { Commands, Reads, RefusalBody } from "./answers.d.ts" */

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  /**
   * @param {object} answer
   * @param {number} answer.status - 0: there was no answer, or none that could be read
   * @param {RefusalBody} [answer.body]
   * @param {string | null} [answer.correlationId]
   * @param {number} [answer.retryAfterMs] - the server asks to wait so long
   */
  constructor({ status, body = {}, correlationId = null, retryAfterMs = 0 }) {
    super(body.reason ?? `http_${status}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.reason = this.message;
    this.body = body;
    this.correlationId = body.correlation_id ?? correlationId;
  }

  /**
   * A sentence for a person; the server's own one where this page has none, with what was wrong with each field.
   *
   * @returns {string}
   */
  get sentence() {
    const known = textIfAny(`refused.${this.reason}`) ?? textIfAny(`refused.${this.status}`);
    const errors = Object.entries(this.body.errors ?? {});
    const fields = errors.map(([name, problems]) => `${name}: ${[problems].flat().map(sentenceOf).join(" ")}`);
    return [known ?? this.body.title ?? this.body.message ?? this.reason, ...fields].join(" ");
  }
}

export class ConsoleApi {
  #baseUrl;
  #csrfToken;

  /**
   * @param {string} baseUrl
   * @param {string} csrfToken
   */
  constructor(baseUrl, csrfToken) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
  }

  /**
   * JSON of a 2xx.
   *
   * @template {keyof Reads} Path
   * @param {Path} path
   * @param {Record<string, string | number>} [query]
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Reads[Path]>}
   */
  async get(path, query = {}, { signal } = {}) {
    const pairs = parametersOf(query);
    return (await this.#request("GET", pairs.size ? `${path}?${pairs}` : path, { signal })).body;
  }

  /**
   * One event, by its id.
   *
   * @param {string} id
   * @returns {Promise<import("../events/event-client.d.ts").OperatorEvent>}
   */
  async event(id) {
    return (await this.#request("GET", `/events/${encodeURIComponent(id)}`, {})).body;
  }

  /**
   * @template {keyof Commands} Path
   * @param {Path} path
   * @param {object} data
   * @param {Record<string, string>} [headers]
   * @param {"POST" | "PATCH" | "DELETE"} [method]
   * @returns {Promise<Commands[Path]>}
   */
  async post(path, data, headers = {}, method = "POST") {
    const own = { "Content-Type": "application/json", "X-CSRFToken": this.#csrfToken, ...headers };
    return (await this.#request(method, path, { body: JSON.stringify(data), headers: own })).body;
  }

  /**
   * The answer's JSON, and how far the server's clock is ahead of this device's, to half a second.
   *
   * @template {keyof Reads} Path
   * @param {Path} path
   * @param {Record<string, string | number>} query
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<{ body: Reads[Path], aheadMs: number }>}
   */
  async getWithClock(path, query, { signal } = {}) {
    const { body, response } = await this.#request("GET", `${path}?${parametersOf(query)}`, { signal });
    const serverMs = Date.parse(response.headers.get("Date") ?? "") + 500;
    return { body, aheadMs: Number.isNaN(serverMs) ? 0 : serverMs - Date.now() };
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{ signal?: AbortSignal, headers?: Record<string, string>, body?: string }} options
   * @returns {Promise<{ body: any, response: Response }>}
   */
  async #request(method, path, { signal, headers = {}, body }) {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    // The page names the request, so that the server's log finds it even when its answer never comes.
    const correlationId = newKey();
    const own = { Accept: "application/json", "X-Correlation-Id": correlationId, ...headers };
    const ends = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const response = await fetch(this.#baseUrl + path, {
        method,
        body,
        cache: "no-store",
        headers: own,
        signal: ends,
      });
      if (response.status === 204) return { body: {}, response };
      const answer = await response.text().then(parse).catch(() => null);
      if (response.ok && isObject(answer)) return { body: answer, response };
      const waitMs = retryAfterMs(response.headers.get("Retry-After"));
      // An answer that was cut off, or that comes from something between here and the server, counts as none.
      const status = response.ok ? 0 : response.status;
      throw new ApiError({ status, body: answer ?? {}, correlationId, retryAfterMs: waitMs });
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError({ status: 0, correlationId });
    }
  }
}

/** @param {Record<string, string | number>} query */
function parametersOf(query) {
  return new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
}

/** @param {string | { message: string }} problem - of a query it has a place, too */
function sentenceOf(problem) {
  return translated(typeof problem === "string" ? problem : problem.message);
}

/** @param {unknown} answer */
function isObject(answer) {
  return typeof answer === "object" && answer !== null && !Array.isArray(answer);
}

/** Random, in the shape of a uuid. randomUUID is for pages from https or this machine; this is for all. */
export function newKey() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const digits = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/**
 * Shows in `place` what went wrong, with the id by which the server's log knows it; null takes it away. The same
 * sentence is not set again: a screen reader would read out the same refusal every half minute.
 *
 * @param {HTMLElement} place
 * @param {ApiError | null} error
 * @param {(sentence: string) => string} [around] - what else stands there
 */
export function showRefusal(place, error, around = (sentence) => sentence) {
  const shown = place.hidden ? null : place.firstChild?.textContent;
  place.hidden = !error;
  if (!error) return;
  const words = around(error.sentence);
  if (shown === words) return;
  place.replaceChildren(words, ...behind(error.correlationId));
}
