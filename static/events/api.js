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
  #filters;
  #query;

  /**
   * @param {{
   *   baseUrl: string, csrfToken?: string, headers: NonNullable<EventClientOptions["headers"]>,
   *   filters: string[][], query: string,
   * }} options - `filters`: pairs that go with every question; `query`: empty, or goes with polls and tickets
   */
  constructor({ baseUrl, csrfToken, headers, filters, query }) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
    this.#headers = headers;
    this.#filters = filters;
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
    const path = this.#path("/events", this.#query ? { ...parameters, q: this.#query } : parameters);
    const { status, body } = await this.#request(signal, path, { timeoutMs });
    if (status === 410 && isReset(body)) return { status, body };
    if (status !== 410 && isPage(body)) return { status: 200, body };
    throw new Interruption("bad_answer");
  }

  /**
   * The address of a stream after `cursor` (null: from now), with a ticket that opens it once. The ticket holds the
   * query, because addresses stand in logs and have a limit.
   *
   * @param {AbortSignal} signal
   * @param {string | null} cursor
   * @param {{ bySocket: boolean }} transport
   */
  async streamUrl(signal, cursor, { bySocket }) {
    const sent = this.#query ? { q: this.#query } : null;
    const { body } = await this.#request(signal, "/events/sse-token", { method: "POST", sent });
    if (!isTicket(body)) throw new Interruption("bad_answer");
    /** @type {Record<string, string>} */
    const position = cursor === null ? {} : { last_event_id: cursor };
    const path = bySocket ? "/events/socket" : "/events/stream";
    return this.#baseUrl + this.#path(path, { token: body.sse_token, ...position });
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} parameters
   */
  #path(path, parameters) {
    const own = Object.entries(parameters).map(([name, value]) => [name, String(value)]);
    return `${path}?${new URLSearchParams([...own, ...this.#filters])}`;
  }

  /**
   * Status and JSON of a 2xx or a 410; everything else is an Interruption. An answer that was cut off, or of something
   * between here and the server, such as a network's sign-in page, has an empty body.
   *
   * @param {AbortSignal} signal
   * @param {string} path
   * @param {{ method?: string, sent?: Json | null, timeoutMs?: number }} options
   * @returns {Promise<{ status: number, body: Json }>}
   */
  async #request(signal, path, { method = "GET", sent = null, timeoutMs = REQUEST_TIMEOUT_MS }) {
    /** @type {Record<string, string>} */
    const csrf = method !== "GET" && this.#csrfToken ? { "X-CSRFToken": this.#csrfToken } : {};
    /** @type {Record<string, string>} */
    const type = sent ? { "Content-Type": "application/json" } : {};
    const headers = { Accept: "application/json", ...type, ...csrf, ...(await this.#credentials()) };
    const body = sent && JSON.stringify(sent);
    const stop = new AbortController();
    const abort = () => stop.abort();
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort);
    try {
      signal.throwIfAborted();
      const asked = { method, headers, body, signal: stop.signal };
      const response = await fetch(this.#baseUrl + path, { ...asked, cache: "no-store" });
      const answer = (await response.text().then(parse).catch(() => null)) ?? {};
      if (!response.ok && response.status !== 410) throw refusal(response, answer);
      return { status: response.status, body: answer };
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
