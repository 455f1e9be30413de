/**
 * A connection to the server that lasts: history, streams and waits between them; where streams are blocked a socket, and
 * where both are, polls.
 */

import { cursorOf, reaches } from "./cursors.js";
import { ATTEMPT_FLOOR_MS, Interruption, sleep, sleepUnlessWoken, tryNow, waitMs } from "./retry.js";
import { follow } from "./stream.js";

/**
 * @import { Cause, ConnectionOwner, EventPage, LogReset, NextRange } from "./event-client-parts.d.ts"
 * @import { Sink } from "./stream.js"
 */

const STREAM_FAILURES_BEFORE_POLLING = 3;
const CAN_USE_SOCKETS = "WebSocket" in globalThis;
/** While polling works, a stream is tried this often. */
const STREAM_RETRY_MS = 30_000;
/** Below the 25 seconds that the server allows, and below the 30 at which many proxies give up. */
const LONG_POLL_SECONDS = 20;
export const POLL_LIMIT = 500;

export class Connection {
  #api;
  #owner;
  #history;
  #cursor;
  #closing = new AbortController();
  #startedAtMs = 0;

  /**
   * @param {import("./api.js").Api} api
   * @param {string | null} cursor - null: begins with `history` of the newest events, or from now
   * @param {number} history
   * @param {ConnectionOwner} owner
   */
  constructor(api, cursor, history, owner) {
    this.#api = api;
    this.#cursor = cursor;
    this.#history = history;
    this.#owner = owner;
  }

  start() {
    this.#startedAtMs = performance.now();
    this.#run(this.#closing.signal);
  }

  /** The owner receives nothing more. */
  close() {
    this.#closing.abort();
  }

  retry() {
    tryNow();
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    let failures = 0;
    let blocked = 0;
    let socketWorks = CAN_USE_SOCKETS;
    this.#owner.state({ state: "connecting", transport: null });
    while (!signal.aborted) {
      const isBlocked = blocked >= STREAM_FAILURES_BEFORE_POLLING;
      const bySocket = isBlocked && socketWorks;
      const polls = isBlocked && !bySocket;
      try {
        await this.#loadHistory(signal);
        await (polls ? this.#pollAndProbe(signal) : this.#stream(signal, { bySocket }));
      } catch (interruption) {
        if (signal.aborted) return;
        if (!(interruption instanceof Interruption)) throw interruption;
        const { final, planned, stable, buffered, unreachable, ofStream, floorMs } = interruption;
        if (final) return this.#owner.state({ state: "ended", transport: null, ...causeOf(interruption) });
        const worked = stable || (polls && ofStream);
        failures = planned ? 0 : (worked ? 0 : failures) + 1;
        if (bySocket && ofStream && !unreachable) {
          socketWorks = stable || planned;
        } else {
          // When polls fail too, the server is away and not only its streams: begin again with a stream.
          const streamBlocked = ofStream && !planned && !unreachable;
          blocked = streamBlocked ? (stable ? 0 : blocked) + (buffered ? STREAM_FAILURES_BEFORE_POLLING : 1) : 0;
          if (!blocked) socketWorks = CAN_USE_SOCKETS;
        }
        if (blocked >= STREAM_FAILURES_BEFORE_POLLING && !(bySocket && socketWorks)) {
          if (socketWorks) await sleep(ATTEMPT_FLOOR_MS, signal);
          continue;
        }
        await this.#pause(signal, waitMs(failures, floorMs), interruption);
      }
    }
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} ms
   * @param {Interruption} interruption
   */
  async #pause(signal, ms, interruption) {
    // A time of day, because other tabs receive it; nothing waits by it.
    const retryAtMs = Date.now() + ms;
    this.#owner.state({ state: "reconnecting", transport: null, retryAtMs, ...causeOf(interruption) });
    await sleepUnlessWoken(ms, interruption.floorMs, signal);
    if (!signal.aborted) this.#owner.state({ state: "connecting", transport: null });
  }

  /** @param {AbortSignal} signal */
  async #loadHistory(signal) {
    if (!this.#history || this.#cursor !== null) return;
    const { status, body } = await this.#api.events(signal, { limit: this.#history });
    // Without a cursor there is nothing to reset.
    if (status === 410) throw new Interruption("bad_answer");
    this.#give({ upto: body.cursor, events: body.events });
  }

  /**
   * One stream from its ticket to its end; never resolves, the Interruption has the reason of its end.
   *
   * @param {AbortSignal} signal
   * @param {{ bySocket?: boolean, onconnected?: () => void }} [how]
   */
  async #stream(signal, { bySocket = false, onconnected = () => {} } = {}) {
    try {
      const url = await this.#api.streamUrl(signal, this.#cursor, { bySocket });
      await follow(url, signal, this.#sink(onconnected, { bySocket }), { bySocket });
    } catch (interruption) {
      if (interruption instanceof Interruption) interruption.ofStream = true;
      throw interruption;
    }
  }

  /**
   * @param {() => void} onconnected
   * @param {{ bySocket: boolean }} how
   * @returns {Sink}
   */
  #sink(onconnected, { bySocket }) {
    return {
      connected: (cursor) => {
        onconnected();
        // With a cursor of our own, the events up to the server's have yet to come, or a reset has.
        if (this.#cursor === null) this.#begin(cursor);
        this.#owner.state({ state: "live", ...(bySocket ? { transport: "socket" } : { transport: "stream" }) });
      },
      range: (range) => this.#give(range),
      heartbeat: (time) => this.#owner.heartbeat(time),
      reset: (reset) => this.#reset(reset),
    };
  }

  /**
   * Polls, and tries a stream beside it now and then. Of an event that both bring, the later one is left out.
   *
   * @param {AbortSignal} signal
   */
  async #pollAndProbe(signal) {
    const [polling, probing] = [new AbortController(), new AbortController()];
    const polls = this.#poll(AbortSignal.any([signal, polling.signal]));
    let pauseMs = STREAM_RETRY_MS;
    try {
      while (!signal.aborted) {
        await Promise.race([polls, sleep(pauseMs, signal)]);
        let connected = false;
        const onconnected = () => {
          connected = true;
          polling.abort();
        };
        const stream = this.#stream(AbortSignal.any([signal, probing.signal]), { onconnected });
        try {
          await Promise.race([polls, stream]);
        } catch (interruption) {
          const isOfProbe = interruption instanceof Interruption && interruption.ofStream;
          if (connected || !isOfProbe || interruption.final) throw interruption;
          pauseMs = Math.max(STREAM_RETRY_MS, interruption.floorMs);
        }
      }
    } finally {
      polling.abort();
      probing.abort();
    }
  }

  /**
   * Long polls until `signal` is aborted; never resolves.
   *
   * @param {AbortSignal} signal
   */
  async #poll(signal) {
    let waitSeconds = 0; // The first answer comes at once: it shows that polling works.
    while (!signal.aborted) {
      const askedAtMs = performance.now();
      try {
        const hasMore = await this.#pollOnce(signal, waitSeconds);
        if (!hasMore) await sleep(askedAtMs + ATTEMPT_FLOOR_MS - performance.now(), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      waitSeconds = LONG_POLL_SECONDS;
    }
    return new Promise(() => {});
  }

  /**
   * Whether there is more to read.
   *
   * @param {AbortSignal} signal
   * @param {number} wait - seconds for which the server may hold the answer
   */
  async #pollOnce(signal, wait) {
    const since = this.#cursor;
    const query = since === null ? this.#sinceTheStart() : { since, limit: POLL_LIMIT, wait };
    const { status, body } = await this.#api.events(signal, query);
    // What was asked before the stream took over, it brings as well.
    if (signal.aborted) return false;
    this.#owner.state({ state: "polling", transport: "poll" });
    if (status === 410) {
      this.#reset({ ...body, reason: body.reset });
      await this.#loadHistory(signal);
      return false;
    }
    if (since === null) {
      this.#give({ upto: body.cursor, events: body.events });
      // Without a cursor, `has_more` is about older ones: more came than are read at a time.
      const { cursor: newest, first_cursor: oldest = newest } = body;
      if (body.has_more) this.#owner.reset({ reason: "unknown", oldest, newest }, newest);
      return false;
    }
    this.#give({ upto: reachedBy(body), events: body.events, live: wait > 0 });
    return body.has_more;
  }

  /**
   * What came while a stream was tried that brought nothing: something between may have kept it. By the server's clock.
   */
  #sinceTheStart() {
    const seconds = Math.ceil((performance.now() - this.#startedAtMs) / 1000) + 1;
    return { from: `-${seconds}s`, limit: POLL_LIMIT };
  }

  /** @param {string} cursor */
  #begin(cursor) {
    this.#cursor = cursor;
    this.#owner.range({ after: cursor, upto: cursor, events: [] });
  }

  /** @param {NextRange} range */
  #give(range) {
    if (reaches(this.#cursor, range.upto)) return;
    const after = this.#cursor;
    this.#cursor = range.upto;
    this.#owner.range({ ...range, after });
  }

  /**
   * Whether it can go on from here; with history to be read first it cannot.
   *
   * @param {LogReset} reset
   */
  #reset({ reason, oldest, newest }) {
    const after = this.#cursor;
    this.#cursor = this.#history ? null : newest;
    this.#owner.reset({ reason, oldest, newest }, after);
    return this.#cursor !== null;
  }
}

/**
 * What of an interruption is for the page; only a refusal of the server has an id, and only one of a query a mistake.
 *
 * @param {Partial<Cause>} interruption
 * @returns {Cause}
 */
export function causeOf({ reason = "", correlationId, mistake }) {
  return { reason, ...(correlationId === undefined ? {} : { correlationId }), ...(mistake ? { mistake } : {}) };
}

/**
 * Up to where an answer to GET /events holds all: its own cursor, or its last event's when there is more to fetch.
 *
 * @param {EventPage} page
 */
export function reachedBy({ events, cursor, has_more: hasMore }) {
  const last = events.at(-1);
  return hasMore && last ? cursorOf(last, cursor) : cursor;
}
