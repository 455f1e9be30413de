/** Requests to the API with the credentials of the page: a ticket, a page of events, the address of a stream. */

import { parse } from "./exact.js";
import { Interruption, refusal } from "./retry.js";

/**
 * @import { EventAnswer, EventPage, ResetAnswer } from "./event-client-parts.d.ts"
 * @import { EventClientOptions } from "./event-client.d.ts"
 *
 * @typedef {Record<string, unknown>} Json
 */

const REQUEST_TIMEOUT_MS = 10_000;

export class Api {
  #baseUrl;
  #csrfToken;
  #headers;
  #query;

  /**
   * @param {{
   *   baseUrl: string, csrfToken?: string, headers: NonNullable<EventClientOptions["headers"]>, query: string[][],
   * }} options - `query`: pairs that go with every question for events
   */
  constructor({ baseUrl, csrfToken, headers, query }) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
    this.#headers = headers;
    this.#query = query;
  }

  /**
   * GET /events: the answer of 200 or 410. `wait` are the seconds for which the server may hold the answer.
   *
   * @param {AbortSignal} signal
   * @param {{ limit: number, since?: string, from?: string, wait?: number }} parameters
   * @returns {Promise<EventAnswer>}
   */
  async events(signal, parameters) {
    const timeoutMs = REQUEST_TIMEOUT_MS + (parameters.wait ?? 0) * 1000;
    const { status, body } = await this.#request(signal, this.#path("/events", parameters), { timeoutMs });
    if (status === 410 && isReset(body)) return { status, body };
    if (status !== 410 && isPage(body)) return { status: 200, body };
    throw new Interruption("bad_answer");
  }

  /**
   * The address of a stream after `cursor` (null: from now), with a ticket that opens it once.
   *
   * @param {AbortSignal} signal
   * @param {string | null} cursor
   */
  async streamUrl(signal, cursor) {
    const { body } = await this.#request(signal, "/events/sse-token", { method: "POST" });
    if (!isTicket(body)) throw new Interruption("bad_answer");
    /** @type {Record<string, string>} */
    const position = cursor === null ? {} : { last_event_id: cursor };
    return this.#baseUrl + this.#path("/events/stream", { token: body.sse_token, ...position });
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} parameters
   */
  #path(path, parameters) {
    const own = Object.entries(parameters).map(([name, value]) => [name, String(value)]);
    return `${path}?${new URLSearchParams([...own, ...this.#query])}`;
  }

  /**
   * Status and JSON of a 2xx or a 410; everything else is an Interruption. An answer that was cut off, or of something
   * between here and the server, such as a network's sign-in page, has an empty body.
   *
   * @param {AbortSignal} signal
   * @param {string} path
   * @param {{ method?: string, timeoutMs?: number }} options
   * @returns {Promise<{ status: number, body: Json }>}
   */
  async #request(signal, path, { method = "GET", timeoutMs = REQUEST_TIMEOUT_MS }) {
    /** @type {Record<string, string>} */
    const csrf = method !== "GET" && this.#csrfToken ? { "X-CSRFToken": this.#csrfToken } : {};
    const headers = { Accept: "application/json", ...csrf, ...(await this.#credentials()) };
    const stop = new AbortController();
    const abort = () => stop.abort();
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort);
    try {
      signal.throwIfAborted();
      const response = await fetch(this.#baseUrl + path, { method, headers, cache: "no-store", signal: stop.signal });
      const body = (await response.text().then(parse).catch(() => null)) ?? {};
      if (!response.ok && response.status !== 410) throw refusal(response, body);
      return { status: response.status, body };
    } catch (error) {
      throw error instanceof Interruption ? error : new Interruption("unreachable", { unreachable: true });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /** The caller may have to fetch them from somewhere, which may be away. */
  async #credentials() {
    try {
      return await this.#headers();
    } catch (error) {
      throw new Interruption("no_credentials", { unreachable: true, cause: error });
    }
  }
}

/**
 * @param {Json | { sse_token: string }} body
 * @returns {body is { sse_token: string }}
 */
function isTicket(body) {
  return typeof body.sse_token === "string";
}

/**
 * @param {Json | EventPage} body
 * @returns {body is EventPage}
 */
function isPage(body) {
  return Array.isArray(body.events) && typeof body.cursor === "string";
}

/**
 * @param {Json | ResetAnswer} body
 * @returns {body is ResetAnswer}
 */
function isReset(body) {
  return typeof body.reset === "string" && typeof body.newest === "string";
}
