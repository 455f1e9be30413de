/**
 * One connection for all tabs of a browser. The tab that leads has it and posts what it receives to a BroadcastChannel;
 * each tab, the leader too, takes from there what it has not had yet and reads what it misses by itself.
 *
 * Events come once and in order even while tabs disagree about the leader: every range has its beginning and its end
 * in the log (reader.js). A term counts the changes of leader; it decides whose state is shown, and who steps down.
 */

import { CatchUp } from "./catch-up.js";
import { causeOf, Connection } from "./connection.js";
import { isMissedBy } from "./cursors.js";
import { election } from "./election.js";
import { Presence } from "./presence.js";
import { tryNow } from "./retry.js";

/**
 * @import {
 *   Cause, ConnectionState, LogReset, Sent, TabMessage, TabOwner
 * } from "./event-client-parts.d.ts"
 */

/** Part of the name: tabs with another version of this file keep to themselves. */
const PROTOCOL = "vx11-events-2";
/** The last messages of the leader before, perhaps that it was refused for good, arrive before the next one begins. */
const SETTLE_MS = 50;
/** @type {ConnectionState} */
const NOWHERE = { state: "connecting", transport: null };

/** Whether this is a page, of which there may be several. Programs have no tabs. */
export function canShare() {
  return typeof BroadcastChannel === "function" && typeof document === "object";
}

export class SharedConnection {
  #id = [...crypto.getRandomValues(new Uint32Array(3))].map((part) => part.toString(16).padStart(8, "0")).join("");
  #name;
  #common;
  #reader;
  #owner;
  #catchUp;
  #election;
  #presence;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #leader = { id: "", term: 0 };
  #state = NOWHERE;
  #retryAtMs = -Infinity;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {number | undefined} */
  #settling;
  #closing = new AbortController();

  /**
   * @param {object} parts
   * @param {string} parts.name - tabs of this name share one connection
   * @param {import("./api.js").Api} parts.common - asks for all that the session may see
   * @param {import("./api.js").Api} parts.own - asks for what this tab wants
   * @param {number} parts.history
   * @param {import("./reader.js").Reader} parts.reader
   * @param {TabOwner} parts.owner
   */
  constructor({ name, common, own, history, reader, owner }) {
    this.#name = `${PROTOCOL} ${name}`;
    this.#common = common;
    this.#reader = reader;
    this.#owner = owner;
    this.#catchUp = new CatchUp({
      api: own,
      history,
      reader,
      onreset: (reset) => this.#applyReset(reset),
      onfinal: (cause) => this.#end(cause),
    });
    this.#election = election(this.#name, () => this.#lead(), () => this.#follow());
    this.#presence = new Presence(() => this.#ask(), () => this.#election.force());
  }

  start() {
    const { signal } = this.#closing;
    addEventListener("pagehide", () => this.#leave(), { signal });
    addEventListener("pageshow", () => this.#join(), { signal });
    document.addEventListener("freeze", () => this.#leave(), { signal });
    document.addEventListener("resume", () => this.#join(), { signal });
    this.#owner.state({ leader: false, ...NOWHERE });
    if (!signal.aborted) this.#join();
  }

  /** The owner receives nothing more; another tab takes over. */
  close() {
    this.#closing.abort();
    this.#leave();
    this.#catchUp.stop();
  }

  /** The wait is that of the tab which leads. */
  retry() {
    if (this.#leads) tryNow();
    else this.#post({ kind: "retry" });
  }

  get #leads() {
    return this.#leader.id === this.#id;
  }

  #join() {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener("message", ({ data }) => this.#receive(data));
    this.#election.stand();
    this.#presence.start();
    this.#ask();
    this.#catchUp.start();
  }

  /** Also for a page that sleeps or is kept for "back": the others must not wait for it. */
  #leave() {
    if (!this.#channel) return;
    if (this.#leads) this.#post({ kind: "bye" });
    this.#stopLeading();
    this.#presence.stop();
    this.#election.withdraw();
    this.#channel.close();
    this.#channel = null;
  }

  // --- leading ---

  #lead() {
    this.#leader = { id: this.#id, term: this.#leader.term + 1 };
    this.#presence.stop();
    // The server may have asked the last leader to wait; that holds for the next one.
    const waitMs = this.#retryAtMs - performance.now();
    this.#changeState(waitMs > 0 ? this.#state : NOWHERE);
    this.#settling = setTimeout(() => this.#connect(), Math.max(SETTLE_MS, waitMs));
  }

  #connect() {
    this.#connection = new Connection(this.#common, this.#reader.cursor, 0, {
      range: (range) => {
        this.#post({ kind: "range", range });
        this.#catchUp.take(range);
      },
      heartbeat: (time) => {
        this.#post({ kind: "heartbeat", time });
        this.#owner.heartbeat(time);
      },
      reset: (reset, after) => {
        this.#post({ kind: "reset", reset, after });
        this.#reset(reset, after);
      },
      state: (change) => this.#changeState(change),
    });
    this.#connection.start();
  }

  /** @param {ConnectionState} change */
  #changeState(change) {
    this.#remember(change);
    this.#announce();
    if (change.state === "ended") return this.#end(causeOf(change));
    return this.#owner.state({ leader: true, ...change });
  }

  #announce() {
    this.#post({ kind: "state", change: this.#state, cursor: this.#reader.cursor, aheadMs: this.#owner.clock.aheadMs });
  }

  /** @param {Sent<{ kind: "ask", hidden: boolean }>} question */
  #answer({ term, hidden }) {
    // Timers of a hidden tab run late, up to a minute. A stream needs none; polls and waits are for a tab that is seen.
    if (document.hidden && !hidden && !["stream", "socket"].includes(this.#state.transport ?? "")) {
      this.#post({ kind: "bye" });
      return this.#follow();
    }
    // A tab that came while the last leader slept did not receive its term. Tabs that did would ignore a lower one.
    if (term > this.#leader.term) this.#leader = { id: this.#id, term: term + 1 };
    return this.#announce();
  }

  #stopLeading() {
    clearTimeout(this.#settling);
    this.#connection?.close();
    this.#connection = null;
    if (this.#leads) this.#leader = { id: "", term: this.#leader.term };
  }

  /** Another leads, or is about to. */
  #follow() {
    this.#stopLeading();
    this.#election.withdraw();
    this.#election.stand();
    this.#presence.start();
  }

  // --- following ---

  #ask() {
    this.#post({ kind: "ask", hidden: document.hidden });
  }

  /** @param {Sent} message */
  #receive(message) {
    if (message.kind === "ask") {
      if (this.#leads) this.#answer(message);
      return;
    }
    if (message.kind === "retry") {
      if (this.#leads) tryNow();
      return;
    }
    if (message.kind === "bye") {
      if (message.id === this.#leader.id) this.#election.stand();
      return;
    }
    // Useful from every sender: a range and a reset have their place in the log with them.
    if (message.kind === "range") this.#catchUp.take(message.range);
    if (message.kind === "reset") this.#reset(message.reset, message.after);
    // This tab was elected before it received that the server refused the last leader for good.
    const over = message.kind === "state" && message.change.state === "ended";
    if (over && this.#leads && !this.#connection) {
      this.#changeState(message.change);
      return;
    }
    if (!this.#recognise(message)) return;
    if (message.kind === "heartbeat") this.#owner.heartbeat(message.time);
    if (message.kind === "state") this.#receiveState(message);
  }

  /**
   * Whether the sender leads, as far as this tab knows.
   *
   * @param {{ id: string, term: number }} sender
   */
  #recognise({ id, term }) {
    const known = this.#leader;
    const better = term > known.term || (term === known.term && id <= known.id) || known.id === "";
    if (!better || term < known.term) {
      // A leader that slept learns from this that it leads no more.
      if (this.#leads) this.#announce();
      return false;
    }
    if (this.#leads) this.#follow();
    this.#leader = { id, term };
    this.#presence.noteMessage();
    this.#election.noteLeader();
    return true;
  }

  /** @param {Sent<Extract<TabMessage, { kind: "state" }>>} message */
  #receiveState({ change, cursor, aheadMs }) {
    this.#remember(change);
    this.#owner.clock.take(aheadMs);
    if (change.state === "ended") return this.#end(causeOf(change));
    if (cursor !== null) this.#catchUp.take({ after: cursor, upto: cursor, events: [] });
    return this.#owner.state({ ...change, leader: false, transport: change.transport && "shared" });
  }

  // --- both ---

  /**
   * Tabs share the time of day only, which may be set; how long it is until then is measured from here.
   *
   * @param {ConnectionState} change
   */
  #remember(change) {
    if (change === this.#state) return;
    this.#state = change;
    this.#retryAtMs = change.retryAtMs ? performance.now() + change.retryAtMs - Date.now() : -Infinity;
  }

  /** @param {TabMessage} message */
  #post(message) {
    this.#channel?.postMessage({ id: this.#id, term: this.#leader.term, ...message });
  }

  /**
   * @param {LogReset} reset
   * @param {string | null} after
   */
  #reset(reset, after) {
    if (isMissedBy(this.#reader.cursor, after, reset.newest)) this.#applyReset(reset);
  }

  /** @param {LogReset} reset */
  #applyReset(reset) {
    this.#owner.reset(reset);
    this.#catchUp.start();
  }

  /** @param {Cause} cause */
  #end(cause) {
    this.close();
    this.#owner.state({ state: "ended", transport: null, leader: false, ...cause });
  }
}
