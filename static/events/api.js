/** Requests to the API with the credentials of the page: a ticket, a page of events, the address of a stream. */

import { parse } from "./exact.js";
import { Interruption, refusal } from "./retry.js";

const REQUEST_TIMEOUT_MS = 10_000;

export class Api {
  #baseUrl;
  #csrfToken;
  #headers;
  #query;

  /** @param {string[][]} query - pairs that go with every question for events */
  constructor({ baseUrl, csrfToken, headers, query }) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
    this.#headers = headers;
    this.#query = query;
  }

  /** GET /events: `{status, body}` of 200 or 410. `wait` are the seconds for which the server may hold the answer. */
  events(signal, parameters) {
    const timeoutMs = REQUEST_TIMEOUT_MS + (parameters.wait ?? 0) * 1000;
    return this.#request(signal, this.#path("/events", parameters), { timeoutMs, makesSense: isPageOrReset });
  }

  /** The address of a stream after `cursor` (null: from now), with a ticket that opens it once. */
  async streamUrl(signal, cursor) {
    const { body } = await this.#request(signal, "/events/sse-token", { method: "POST", makesSense: isTicket });
    const position = cursor === null ? {} : { last_event_id: cursor };
    return this.#baseUrl + this.#path("/events/stream", { token: body.sse_token, ...position });
  }

  #path(path, parameters) {
    return `${path}?${new URLSearchParams([...Object.entries(parameters), ...this.#query])}`;
  }

  /** Status and JSON of a 2xx or a 410; everything else is an Interruption. */
  async #request(signal, path, { method = "GET", timeoutMs = REQUEST_TIMEOUT_MS, makesSense }) {
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
      // An answer that was cut off, or of something between here and the server, such as a network's sign-in page.
      if (!makesSense(body)) throw new Interruption("bad_answer");
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

function isTicket({ sse_token: ticket }) {
  return typeof ticket === "string";
}

/** A page of events, or what a 410 says. */
function isPageOrReset({ events, cursor, reset, newest }) {
  const isPage = Array.isArray(events) && typeof cursor === "string";
  return isPage || (typeof reset === "string" && typeof newest === "string");
}
