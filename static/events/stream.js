/** One stream from its opening to its end: passes on what it receives. Never resolves; it ends by an Interruption. */

import { parse } from "./exact.js";
import { Interruption } from "./retry.js";

/** A stream begins with "connected" at once. When nothing comes for so long, something on the way buffers it. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Two heartbeats may be late; when the third one is missing, the connection is dead. */
const SILENT_HEARTBEATS = 2.5;
/** A stream that lived so long worked: its end begins a new count of failures. */
const STABLE_STREAM_MS = 10_000;
/** After these ends a new stream would be refused, too. After every other end the client reconnects. */
const FINAL_REASONS = new Set(["revoked", "expired", "disconnected_by_admin", "end_of_log"]);

/**
 * @import { LogReset, NextRange } from "./event-client-parts.d.ts"
 *
 * @typedef {object} Sink
 * @property {(cursor: string) => void} connected - the server's position, which is where the stream starts without one
 * @property {(range: NextRange) => void} range - everything up to a position
 * @property {(time: string) => void} heartbeat
 * @property {(reset: LogReset) => boolean} reset - whether the stream is still wanted
 */

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {Sink} sink
 * @param {{ bySocket: boolean }} transport
 * @returns {Promise<never>}
 */
export async function follow(url, signal, sink, { bySocket }) {
  const Source = bySocket
    ? (await import("./socket-source.js")).SocketSource
    : globalThis.EventSource ?? (await import("./fetch-source.js")).FetchSource;
  return new Promise((_, reject) => new Stream(new Source(url), signal, sink, reject));
}

class Stream {
  #source;
  #signal;
  #sink;
  #reject;
  #silenceMs = CONNECT_TIMEOUT_MS;
  /** @type {number | undefined} */
  #watchdog;
  /** @type {number | null} */
  #connectedAtMs = null;
  #live = false;
  #close = () => this.#end("closed");
  /** The browser has cut the connection of a page that it kept in its back-forward cache. */
  #restored = (/** @type {PageTransitionEvent} */ { persisted }) => persisted && this.#end("connection_lost");

  /**
   * @param {EventSource | import("./fetch-source.js").FetchSource | import("./socket-source.js").SocketSource} source
   * @param {AbortSignal} signal
   * @param {Sink} sink
   * @param {(interruption: Interruption) => void} reject
   */
  constructor(source, signal, sink, reject) {
    this.#source = source;
    this.#signal = signal;
    this.#sink = sink;
    this.#reject = reject;
    this.#handle("message", (data, cursor) => this.#message(data, cursor));
    this.#handle("caught-up", () => (this.#live = true));
    this.#handle("heartbeat", (data, cursor) => {
      this.#sink.heartbeat(data.time);
      this.#sink.range({ upto: cursor, events: [], live: true });
    });
    this.#handle("stream-reset", (data) => this.#sink.reset(data) || this.#end("reset", { planned: true }));
    this.#handle("stream-end", ({ reason, retry_ms: floorMs }) => {
      this.#end(reason, { final: FINAL_REASONS.has(reason), planned: true, floorMs });
    });
    // Its own reconnect would send the used ticket again, so the first error is the last.
    this.#source.addEventListener("error", () => this.#end("connection_lost"));
    signal.addEventListener("abort", this.#close);
    globalThis.addEventListener?.("pageshow", this.#restored);
    if (signal.aborted) this.#close();
    else this.#watch();
  }

  /**
   * @param {any} data
   * @param {string} cursor
   */
  #message(data, cursor) {
    if (data.type === "event") {
      return this.#sink.range({ upto: cursor, events: [data], live: this.#live });
    }
    if (data.type !== "connected") return;
    this.#connectedAtMs = performance.now();
    this.#silenceMs = data.heartbeat_sec * 1000 * SILENT_HEARTBEATS;
    if (data.time) this.#sink.heartbeat(data.time);
    this.#watch();
    this.#sink.connected(cursor);
  }

  /**
   * @param {string} name
   * @param {(data: any, cursor: string) => void} handler
   */
  #handle(name, handler) {
    this.#source.addEventListener(name, (message) => {
      this.#watch();
      const data = typeof message.data === "string" ? parsed(message.data) : message.data;
      if (data === null) return this.#end("bad_frame");
      handler(data, message.lastEventId);
    });
  }

  #watch() {
    clearTimeout(this.#watchdog);
    const connected = this.#connectedAtMs !== null;
    this.#watchdog = setTimeout(() => this.#end("silence", { buffered: !connected }), this.#silenceMs);
  }

  /**
   * @param {string} reason
   * @param {ConstructorParameters<typeof Interruption>[1]} meaning
   */
  #end(reason, meaning = {}) {
    clearTimeout(this.#watchdog);
    this.#signal.removeEventListener("abort", this.#close);
    globalThis.removeEventListener?.("pageshow", this.#restored);
    this.#source.close();
    const stable = this.#connectedAtMs !== null && performance.now() - this.#connectedAtMs >= STABLE_STREAM_MS;
    this.#reject(new Interruption(reason, { stable, ...meaning }));
  }
}

/**
 * JSON, or null for what is none.
 *
 * @param {string} text
 */
function parsed(text) {
  try {
    return parse(text);
  } catch {
    return null;
  }
}
