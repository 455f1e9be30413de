/**
 * Live operator events in a browser: ticket, stream, cursor, back-off, and polling where streams do not get through.
 *
 * Two files (this one and retry.js), no dependency, no build step, and nothing is kept in browser storage. Every event
 * is handed over once, in the order of the log; where that cannot be kept, "reset" says so.
 *
 *     import { EventClient } from "/static/events/event-client.js";
 *
 *     const client = new EventClient({ csrfToken: document.querySelector("meta[name=csrf-token]").content });
 *     client.on("event", (event) => console.log(event.severity, event.summary));
 *     client.on("state", ({ state, seconds, reason }) => console.log(state, seconds, reason));
 *     client.on("reset", ({ reason }) => console.log("events are missing:", reason));
 *     client.start();
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "polling" | "ended"} State
 * @typedef {{state: State, seconds?: number, reason?: string}} StateChange
 *   `seconds` until the next attempt with "reconnecting"; `reason` is a code, with "reconnecting" and "ended".
 * @typedef {{event_id: string, seq: number, event_type: string, summary: string, module: string, severity: string,
 *   correlation_id: string, payload: object, created_at: string, occurred_at: ?string}} OperatorEvent
 * @typedef {{reason: string, oldest?: string, newest?: string}} Reset
 * @typedef {{severity?: string[], module?: string[], event_type?: string[], correlation_id?: string[]}} Filters
 */

import { ATTEMPT_FLOOR_MS, Interruption, refusal, sleep, waitMs } from "./retry.js";

const REQUEST_TIMEOUT_MS = 10_000;
/** A stream says "connected" at once; one that says nothing for so long sits behind something that buffers. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Two heartbeats may be late; the third one missing means that nobody is there. */
const SILENT_HEARTBEATS = 2.5;
/** A stream that lived so long worked: its end begins a new count of failures. */
const STABLE_STREAM_MS = 10_000;
const STREAM_FAILURES_BEFORE_POLLING = 3;
/** While polling works, a stream is tried again this often. */
const STREAM_RETRY_MS = 30_000;
/** Below the 25 seconds that the server allows, and below the 30 at which many proxies give up. */
const LONG_POLL_SECONDS = 20;
const POLL_LIMIT = 500;
/** With these the server says that coming back is no use. Every other end is an invitation to reconnect. */
const FINAL_REASONS = new Set(["revoked", "expired", "disconnected_by_admin", "end_of_log"]);

export class EventClient {
  #baseUrl;
  #csrfToken;
  #headers;
  #filters;
  #history;
  #cursor;
  #state = null;
  #running = null;
  #listeners = { event: new Set(), state: new Set(), reset: new Set() };

  /**
   * @param {object} [options]
   * @param {string} [options.baseUrl] - where the API is, without a slash at the end
   * @param {string} [options.csrfToken] - for a page that works with the session cookie
   * @param {() => (Record<string, string> | Promise<Record<string, string>>)} [options.headers] - credentials of a page
   *   that has others; asked before each request, so that the caller keeps them where it likes
   * @param {Filters} [options.filters] - applied by the server; none: all that the caller may see
   * @param {string} [options.since] - cursor to go on from; none: from now
   * @param {number} [options.history] - so many of the newest events (at most 500) come first when there is no cursor,
   *   which is at the start and after a reset
   */
  constructor({ baseUrl = "/operator/api", csrfToken, headers, filters = {}, since, history = 0 } = {}) {
    this.#baseUrl = baseUrl;
    this.#csrfToken = csrfToken;
    this.#headers = headers ?? (() => ({}));
    this.#filters = Object.entries(filters).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
    this.#history = history;
    this.#cursor = since ?? null;
  }

  /** The position after the last event handed over; null before the first answer. */
  get cursor() {
    return this.#cursor;
  }

  /**
   * @param {"event" | "state" | "reset"} name
   * @param {(value: OperatorEvent | StateChange | Reset) => void} listener
   */
  on(name, listener) {
    this.#listeners[name].add(listener);
    return this;
  }

  /** Begins, or begins again after "ended" or close(), from the cursor that was reached. */
  start() {
    if (!this.#running) {
      this.#running = new AbortController();
      this.#setState("connecting");
      this.#run(this.#running.signal);
    }
    return this;
  }

  /** Stops for good and says nothing more. */
  close() {
    this.#running?.abort();
    this.#running = null;
    this.#state = null;
  }

  async #run(signal) {
    let failures = 0;
    let streamFailures = 0;
    let pollMs = 0;
    let step = null;
    while (!signal.aborted) {
      try {
        step = "history";
        await this.#loadHistory(signal);
        step = "poll";
        await this.#poll(signal, pollMs);
        step = "stream";
        await this.#stream(signal);
      } catch (interruption) {
        if (signal.aborted) return;
        if (!(interruption instanceof Interruption)) throw interruption;
        if (interruption.final) return this.#end(interruption.reason);
        const { planned, stable, unreachable, floorMs, reason } = interruption;
        const worked = stable || (step === "stream" && pollMs > 0);
        failures = planned ? 0 : (worked ? 0 : failures) + 1;
        // A poll that fails says that the server is away, not only its streams: begin again with a stream.
        const streamsBlocked = step === "stream" && !planned && !unreachable;
        streamFailures = streamsBlocked ? (stable ? 0 : streamFailures) + 1 : 0;
        pollMs = streamFailures >= STREAM_FAILURES_BEFORE_POLLING ? Math.max(STREAM_RETRY_MS, floorMs) : 0;
        if (!pollMs) await this.#pause(signal, waitMs(failures, floorMs), reason);
      }
    }
  }

  #end(reason) {
    this.#running = null;
    this.#setState("ended", { reason });
  }

  async #pause(signal, ms, reason) {
    this.#setState("reconnecting", { seconds: Math.ceil(ms / 1000), reason });
    await sleep(ms, signal);
    this.#setState("connecting");
  }

  async #loadHistory(signal) {
    if (!this.#history || this.#cursor !== null) return;
    const { body } = await this.#request(signal, this.#path("/events", { limit: this.#history }));
    this.#take(body);
  }

  /** One stream from its ticket to its end; never resolves, the Interruption says why it ended. */
  async #stream(signal) {
    const { body } = await this.#request(signal, "/events/sse-token", { method: "POST" });
    const position = this.#cursor === null ? {} : { last_event_id: this.#cursor };
    const url = this.#baseUrl + this.#path("/events/stream", { token: body.sse_token, ...position });
    await new Promise((_, reject) => this.#follow(new EventSource(url), signal, reject));
  }

  /** Hands over what `source` sends until it breaks; `reject` is called once, with an Interruption. */
  #follow(source, signal, reject) {
    let silenceMs = CONNECT_TIMEOUT_MS;
    let connectedAt = Infinity;
    let watchdog = null;
    const end = (reason, meaning = {}) => {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", close);
      source.close();
      reject(new Interruption(reason, { stable: Date.now() - connectedAt >= STABLE_STREAM_MS, ...meaning }));
    };
    const close = () => end("closed");
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => end("silence"), silenceMs);
    };
    const handle = (name, handler) =>
      source.addEventListener(name, (message) => {
        watch();
        const data = parse(message.data);
        if (data === null) return end("bad_frame");
        handler(data, message.lastEventId);
      });

    handle("message", (data, cursor) => {
      if (data.type === "event") return this.#deliver(data, cursor);
      if (data.type !== "connected") return;
      // With a cursor of our own, the events up to the server's have yet to come, or a reset has.
      this.#cursor ??= cursor;
      connectedAt = Date.now();
      silenceMs = data.heartbeat_sec * 1000 * SILENT_HEARTBEATS;
      watch();
      this.#setState("live");
    });
    handle("heartbeat", (_, cursor) => this.#advance(cursor));
    handle("stream-reset", (data) => {
      this.#reset(data);
      if (this.#cursor === null) end("reset", { planned: true });
    });
    handle("stream-end", (data) => {
      end(data.reason, { final: FINAL_REASONS.has(data.reason), planned: true, floorMs: data.retry_ms });
    });
    // Its own reconnect would send the used ticket again, so the first error is the last.
    source.addEventListener("error", () => end("connection_lost"));
    signal.addEventListener("abort", close);
    watch();
  }

  /** Long polls for `ms`; 0: not at all. */
  async #poll(signal, ms) {
    const untilMs = Date.now() + ms;
    let waitSeconds = 0; // The first answer comes at once: it says that polling works.
    while (Date.now() < untilMs) {
      const askedAtMs = Date.now();
      const { status, body } = await this.#request(signal, this.#path("/events", this.#pollQuery(waitSeconds)), {
        timeoutMs: REQUEST_TIMEOUT_MS + waitSeconds * 1000,
      });
      this.#setState("polling");
      if (status === 410) {
        this.#reset({ ...body, reason: body.reset });
        await this.#loadHistory(signal);
      } else if (this.#cursor === null) {
        this.#advance(body.cursor);
      } else {
        this.#take(body);
      }
      if (!body.has_more) await sleep(askedAtMs + ATTEMPT_FLOOR_MS - Date.now(), signal);
      waitSeconds = Math.min(LONG_POLL_SECONDS, Math.ceil((untilMs - Date.now()) / 1000));
    }
  }

  #pollQuery(waitSeconds) {
    if (this.#cursor === null) return { limit: 1 };
    return { since: this.#cursor, limit: POLL_LIMIT, wait: waitSeconds };
  }

  /** Events of one answer to GET /events. */
  #take({ events, cursor, has_more: hasMore }) {
    const epoch = split(cursor).epoch;
    for (const event of events) this.#deliver(event, `${epoch}-${event.seq}`);
    if (!hasMore || this.#cursor === null) this.#advance(cursor);
  }

  #deliver(event, cursor) {
    if (this.#advance(cursor)) this.#emit("event", event);
  }

  /** Moves on to `cursor`; false when it was reached before, so that what comes twice is shown once. */
  #advance(cursor) {
    const [here, there] = [split(this.#cursor), split(cursor)];
    if (here.epoch === there.epoch && there.seq <= here.seq) return false;
    this.#cursor = cursor;
    return true;
  }

  #reset({ reason, oldest, newest }) {
    this.#cursor = this.#history ? null : newest;
    this.#emit("reset", { reason, oldest, newest });
  }

  /** A path below the base URL, with `parameters` and the filters as its query. */
  #path(path, parameters) {
    return `${path}?${new URLSearchParams([...Object.entries(parameters), ...this.#filters])}`;
  }

  /** Status and JSON of a 2xx or a 410; everything else is an Interruption. */
  async #request(signal, path, { method = "GET", timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
    const csrf = method !== "GET" && this.#csrfToken ? { "X-CSRFToken": this.#csrfToken } : {};
    const headers = { Accept: "application/json", ...csrf, ...(await this.#headers()) };
    const stop = new AbortController();
    const abort = () => stop.abort();
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort);
    try {
      const response = await fetch(this.#baseUrl + path, { method, headers, cache: "no-store", signal: stop.signal });
      const body = await response.json().catch(() => ({}));
      if (response.ok || response.status === 410) return { status: response.status, body };
      throw refusal(response, body);
    } catch (error) {
      throw error instanceof Interruption ? error : new Interruption("unreachable", { unreachable: true });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  #setState(state, details = {}) {
    // A stream tried from polling is not news until it lives.
    const quiet = state === this.#state && state !== "reconnecting";
    this.#state = state;
    if (!quiet) this.#emit("state", { state, ...details });
  }

  #emit(name, value) {
    for (const listener of this.#listeners[name]) {
      try {
        listener(value);
      } catch (error) {
        // A fault of the page must not stop the events.
        reportError(error);
      }
    }
  }
}

/** Epoch and number of a cursor. Other clients take cursors as they are; this one tells old from new by them. */
function split(cursor) {
  const at = cursor === null ? 0 : cursor.lastIndexOf("-");
  return { epoch: cursor?.slice(0, at), seq: Number(cursor?.slice(at + 1)) };
}

/** JSON, or null for what is none. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
