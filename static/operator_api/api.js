/** Requests of the page to the API with the session cookie. A refusal is an ApiError, which says what to show. */

import { text } from "./texts.js";

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  /** @param {{status: number, body: object, correlationId: ?string}} answer - status 0: there was none */
  constructor({ status, body = {}, correlationId = null }) {
    super(body.reason ?? `http_${status}`);
    this.status = status;
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
    const options = { method, body, cache: "no-store", headers: { Accept: "application/json", ...headers } };
    const response = await this.#fetch(path, { ...options, signal: signal ? AbortSignal.any([signal, limit]) : limit });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return { body: answer, response };
    const correlationId = response.headers.get("X-Correlation-Id");
    throw new ApiError({ status: response.status, body: answer, correlationId });
  }

  async #fetch(path, options) {
    try {
      return await fetch(this.#baseUrl + path, options);
    } catch {
      throw new ApiError({ status: 0 });
    }
  }
}

/** Says in `place` what went wrong, with the id by which the server's log knows it; null takes it away. */
export function showRefusal(place, error) {
  place.hidden = !error;
  if (!error) return;
  if (!(error instanceof ApiError)) throw error;
  const id = error.correlationId ? [Object.assign(document.createElement("code"), { textContent: error.correlationId })] : [];
  place.replaceChildren(error.sentence, " ", ...id);
}
