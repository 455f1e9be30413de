/**
 * Live operator events in a browser: ticket, stream, cursor, back-off, polling where streams do not get through, and
 * one connection for all tabs. Types: event-client.d.ts. Guide: docs/clients.md.
 *
 * This file and the modules beside it have no dependency and no build step, and keep nothing in browser storage. Every
 * event is handed over once, in the order of the log; where that is not possible, listeners of "reset" are called.
 *
 *     import { EventClient } from "/static/events/event-client.js";
 *
 *     const client = new EventClient({ csrfToken: document.querySelector("meta[name=csrf-token]").content });
 *     client.on("event", (event, { lagMs }) => console.log(event.severity, event.summary, lagMs));
 *     client.on("state", ({ state, transport, seconds, reason }) => console.log(state, transport, seconds, reason));
 *     client.on("reset", ({ reason }) => console.log("events are missing:", reason));
 *     client.start();
 *
 * With `query: 'severity>=warn -type:http.* "connection refused"'` only such events come. The server reads it; where
 * tabs share a connection, query.js does, with the same meaning. The state "ended" has the mistake in a query.
 */

import { Api } from "./api.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { queryOf, questionOf } from "./filters.js";
import { BadQuery, parse } from "./query.js";
import { Reader } from "./reader.js";
import { canShare, SharedConnection } from "./sharing.js";

/**
 * @import { Arrival, EventClient as Client, EventClientOptions } from "./event-client.d.ts"
 * @import { OperatorEvent, QueryMistake, Reset, StateChange } from "./event-client.d.ts"
 * @import { LogReset, TabState } from "./event-client-parts.d.ts"
 *
 * @typedef {{ event: [OperatorEvent, Arrival], state: [StateChange], reset: [Reset] }} News
 *   What listeners are called with.
 */

/**
 * @template {keyof News} Name
 * @typedef {(...values: News[Name]) => void} Listener
 */

const EVERYTHING = () => true;
/**
 * The page is called when one of these changes.
 *
 * @type {(keyof TabState)[]}
 */
const SHOWN = ["state", "transport", "leader", "retryAtMs"];

/** @implements {Client} */
export class EventClient {
  #options;
  #reader;
  #clock = new Clock();
  /** @type {TabState & { seconds?: number } | null} */
  #status = null;
  /** @type {number | null} */
  #lagMs = null;
  /** @type {Connection | SharedConnection | null} */
  #connection = null;
  /**
   * In the query of a tab that filters for itself; else the server finds it.
   *
   * @type {QueryMistake | null}
   */
  #mistake = null;
  /** @type {{ [Name in keyof News]: Set<Listener<Name>> }} */
  #listeners = { event: new Set(), state: new Set(), reset: new Set() };

  /** @param {EventClientOptions} [options] */
  constructor({ baseUrl = "/operator/api", csrfToken, headers, filters = {}, query, since, history = 0, share } = {}) {
    const shared = share !== undefined && canShare();
    const given = { baseUrl, csrfToken, headers: headers ?? (() => ({})), filters, history, share };
    this.#options = { ...given, shared, query: query?.trim() ? query : "" };
    // On its own, the server has filtered already.
    const admits = shared ? this.#question() : EVERYTHING;
    this.#reader = new Reader(since ?? null, admits, (event, cursor, live) => this.#hand(event, cursor, live));
  }

  /** @returns {string | null} */
  get cursor() {
    return this.#reader.cursor;
  }

  /** @returns {StateChange | null} */
  get status() {
    return this.#status && { ...this.#status, lagMs: this.#lagMs };
  }

  /**
   * @template {keyof News} Name
   * @param {Name} name
   * @param {Listener<Name>} listener
   * @returns {this}
   */
  on(name, listener) {
    this.#listeners[name].add(listener);
    return this;
  }

  /** @returns {this} */
  start() {
    const mistake = this.#mistake;
    if (mistake) {
      // Every request would be refused for it, so none is made. It is news at each start.
      this.#status = null;
      this.#setStatus({ state: "ended", transport: null, leader: false, reason: "validation_error", mistake });
    } else if (!this.#connection) {
      this.#connection = this.#options.shared ? this.#inCommon() : this.#onItsOwn();
      this.#connection.start();
    }
    return this;
  }

  retry() {
    this.#connection?.retry();
  }

  close() {
    this.#connection?.close();
    this.#connection = null;
    this.#status = null;
  }

  /** Which of the events that all tabs get are for this one. */
  #question() {
    const { filters, query } = this.#options;
    const passes = questionOf(filters);
    if (!query) return passes;
    try {
      const wanted = parse(query);
      return (/** @type {OperatorEvent} */ event) => passes(event) && wanted.matches(event);
    } catch (bad) {
      if (!(bad instanceof BadQuery)) throw bad;
      this.#mistake = { position: bad.position, length: bad.length, message: bad.message };
      return passes;
    }
  }

  #onItsOwn() {
    const { filters, history } = this.#options;
    return new Connection(new Api({ ...this.#options, filters: queryOf(filters) }), this.cursor, history, {
      range: (range) => this.#reader.take(range),
      heartbeat: (time) => this.#clock.note(time),
      reset: (reset) => this.#reset(reset),
      state: (change) => this.#setStatus({ leader: true, ...change }),
    });
  }

  #inCommon() {
    const { baseUrl, share, filters, history } = this.#options;
    return new SharedConnection({
      name: `${baseUrl} ${share}`,
      // The leader reads for all, so it asks for everything; what a tab reads for itself is filtered by the server.
      common: new Api({ ...this.#options, filters: [], query: "" }),
      own: new Api({ ...this.#options, filters: queryOf(filters) }),
      history,
      reader: this.#reader,
      owner: {
        clock: this.#clock,
        heartbeat: (time) => this.#clock.note(time),
        reset: (reset) => this.#reset(reset),
        state: (change) => this.#setStatus(change),
      },
    });
  }

  /**
   * @param {OperatorEvent} event
   * @param {string} cursor
   * @param {boolean} live
   */
  #hand(event, cursor, live) {
    const lagMs = live ? this.#clock.lagMs(event.created_at) : null;
    this.#lagMs = lagMs ?? this.#lagMs;
    this.#emit("event", event, { cursor, lagMs });
    // A listener that closes the client wants no more of the range that this was in, until it starts again.
    return this.#connection !== null;
  }

  /** @param {LogReset} reset */
  #reset(reset) {
    this.#reader.cursor = this.#options.history ? null : reset.newest;
    this.#emit("reset", reset);
  }

  /** @param {TabState} change */
  #setStatus(change) {
    const before = this.#status;
    this.#status = change.retryAtMs ? { ...change, seconds: secondsUntil(change.retryAtMs) } : change;
    if (change.state === "ended") this.#connection = null;
    const news = SHOWN.some((name) => before?.[name] !== change[name]);
    if (news) this.#emit("state", { ...this.#status, lagMs: this.#lagMs });
  }

  /**
   * @template {keyof News} Name
   * @param {Name} name
   * @param {News[Name]} values
   */
  #emit(name, ...values) {
    for (const listener of this.#listeners[name]) {
      try {
        listener(...values);
      } catch (error) {
        // A fault of the page must not stop the events. Node has no reportError.
        // deno-lint-ignore no-console
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}

/**
 * Whole seconds, as a countdown begins with.
 *
 * @param {number} timeMs - a time of day, which all tabs share; another tab may have sent it a while ago
 */
function secondsUntil(timeMs) {
  return Math.max(0, Math.ceil((timeMs - Date.now()) / 1000));
}
