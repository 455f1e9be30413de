/** Requests of the page to the API with the session cookie. A refusal is an ApiError, which says what to show. */

import { parse } from "../events/exact.js";
import { retryAfterMs } from "../events/retry.js";
import { text } from "./texts.js";

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  /**
   * @param {{status: number, body: object, correlationId: ?string, retryAfterMs: number}} answer - status 0: there was
   *   none, or none that could be read; `retryAfterMs`: the server asks to wait so long
   */
  constructor({ status, body = {}, correlationId = null, retryAfterMs = 0 }) {
    super(body.reason ?? `http_${status}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.reason = this.message;
    this.body = body;
    this.correlationId = body.correlation_id ?? correlationId;
  }

  /** A sentence for a person; the server's own one where this page has none, with what was wrong with each field. */
  get sentence() {
    const known = text(`refused.${this.reason}`) ?? text(`refused.${this.status}`);
    const fields = Object.entries(this.body.errors ?? {}).map(([name, problems]) => `${name}: ${[problems].flat().join(" ")}`);
    return [known ?? this.body.title ?? this.body.message ?? this.reason, ...fields].join(" ");
  }
}

export class Api {
  #baseUrl;
  #csrfToken;

  constructor(baseUrl, csrfToken) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
  }

  /** JSON of a 2xx. `query` may hold lists: each value becomes a parameter of its own. */
  async get(path, query = {}, { signal } = {}) {
    const pairs = Object.entries(query).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
    return (await this.#request("GET", pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path, { signal })).body;
  }

  async post(path, data, headers = {}) {
    const own = { "Content-Type": "application/json", "X-CSRFToken": this.#csrfToken, ...headers };
    return (await this.#request("POST", path, { body: JSON.stringify(data), headers: own })).body;
  }

  /** The answer's JSON, and how far the server's clock is ahead of this device's, to half a second. */
  async getWithClock(path, query) {
    const { body, response } = await this.#request("GET", `${path}?${new URLSearchParams(query)}`, {});
    const serverMs = Date.parse(response.headers.get("Date")) + 500;
    return { body, aheadMs: Number.isNaN(serverMs) ? 0 : serverMs - Date.now() };
  }

  async #request(method, path, { signal, headers = {}, body }) {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    // The page names the request, so that one whose answer never comes can be found in the server's log, too.
    const correlationId = newKey();
    const own = { Accept: "application/json", "X-Correlation-Id": correlationId, ...headers };
    const ends = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const options = { method, body, cache: "no-store", headers: own, signal: ends };
      const response = await fetch(this.#baseUrl + path, options);
      const answer = await response.text().then(parse).catch(() => null);
      if (response.ok && isObject(answer)) return { body: answer, response };
      const waitMs = retryAfterMs(response.headers.get("Retry-After"));
      // One that was cut off, or is of something between here and the server, says nothing.
      const status = response.ok ? 0 : response.status;
      throw new ApiError({ status, body: answer ?? {}, correlationId, retryAfterMs: waitMs });
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError({ status: 0, correlationId });
    }
  }
}

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
 * Says in `place` what went wrong, with the id by which the server's log knows it; null takes it away. The same again
 * is not said again: what asks every half minute would otherwise interrupt who listens.
 */
export function showRefusal(place, error) {
  const said = place.hidden ? null : place.firstChild?.textContent;
  place.hidden = !error;
  if (!error) return;
  if (!(error instanceof ApiError)) throw error;
  if (said === error.sentence) return;
  const id = error.correlationId ? [Object.assign(document.createElement("code"), { textContent: error.correlationId })] : [];
  place.replaceChildren(error.sentence, " ", ...id);
}
