/**
 * One connection for all tabs of a browser. A tab that leads has it and posts what it hears to a BroadcastChannel;
 * each tab, the leader too, takes from there what it has not had yet and reads what it misses by itself.
 *
 * Nobody has to believe in the same leader for events to come once and in order: every range says from where to where
 * it reaches (reader.js). A term counts the changes of leader; it decides whose state is shown, and who steps down.
 */

import { CatchUp } from "./catch-up.js";
import { causeOf, Connection } from "./connection.js";
import { isMissedBy } from "./cursors.js";
import { election } from "./election.js";
import { Presence } from "./presence.js";

/** Part of the name: tabs with another version of this file keep to themselves. */
const PROTOCOL = "vx11-events-1";
/** What the last leader said, perhaps that all is over, arrives before the next one begins. */
const SETTLE_MS = 50;
const NOWHERE = { state: "connecting", transport: null };

export function canShare() {
  return typeof BroadcastChannel === "function";
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
  #channel = null;
  #leader = { id: "", term: 0 };
  #state = NOWHERE;
  #retryAtMs = -Infinity;
  #connection = null;
  #settling = null;
  #closing = new AbortController();

  /**
   * @param {string} name - tabs of this name are one
   * @param {import("./api.js").Api} common - asks for all that the session may see
   * @param {import("./api.js").Api} own - asks for what this tab wants
   */
  constructor({ name, common, own, history, reader, owner }) {
    this.#name = `${PROTOCOL} ${name}`;
    this.#common = common;
    this.#reader = reader;
    this.#owner = owner;
    const onreset = (reset) => this.#tellReset(reset);
    this.#catchUp = new CatchUp({ api: own, history, reader, onreset, onfinal: (cause) => this.#end(cause) });
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

  /** The owner hears nothing more; another tab takes over. */
  close() {
    this.#closing.abort();
    this.#leave();
    this.#catchUp.stop();
  }

  get #leads() {
    return this.#leader.id === this.#id;
  }

  #join() {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data));
    this.#election.stand();
    this.#presence.start();
    this.#ask();
    this.#catchUp.start();
  }

  /** Also for a page that sleeps or is kept for "back": it must not keep the others waiting. */
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

  #changeState(change) {
    this.#remember(change);
    this.#announce();
    if (change.state === "ended") return this.#end(change);
    this.#owner.state({ leader: true, ...change });
  }

  #announce() {
    this.#post({ kind: "state", change: this.#state, cursor: this.#reader.cursor, aheadMs: this.#owner.clock.aheadMs });
  }

  #answer({ term, hidden }) {
    // Timers of a hidden tab run late, up to a minute. A stream needs none; polls and waits are for one that is seen.
    if (document.hidden && !hidden && this.#state.transport !== "stream") {
      this.#post({ kind: "bye" });
      return this.#follow();
    }
    // A tab that came while the last leader slept did not hear of its term, and those who did would not listen.
    if (term > this.#leader.term) this.#leader = { id: this.#id, term: term + 1 };
    this.#announce();
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

  #hear(message) {
    if (message.kind === "ask") return this.#leads && this.#answer(message);
    if (message.kind === "bye") return message.id === this.#leader.id && this.#election.stand();
    // Good whoever sends them: they say where they belong.
    if (message.kind === "range") this.#catchUp.take(message.range);
    if (message.kind === "reset") this.#reset(message.reset, message.after);
    const over = message.kind === "state" && message.change.state === "ended";
    // The place was free a moment before its last holder's word was heard; now it is passed on.
    if (over && this.#leads && !this.#connection) return this.#changeState(message.change);
    if (!this.#recognise(message)) return;
    if (message.kind === "heartbeat") this.#owner.heartbeat(message.time);
    if (message.kind === "state") this.#hearState(message);
  }

  /** Whether the sender leads, as far as this tab knows. */
  #recognise({ id, term }) {
    const known = this.#leader;
    const better = term > known.term || (term === known.term && id <= known.id) || known.id === "";
    if (!better || term < known.term) {
      // Whoever slept hears that way that it leads no more.
      if (this.#leads) this.#announce();
      return false;
    }
    if (this.#leads) this.#follow();
    this.#leader = { id, term };
    this.#presence.heard();
    this.#election.heard();
    return true;
  }

  #hearState({ change, cursor, aheadMs }) {
    this.#remember(change);
    this.#owner.clock.take(aheadMs);
    if (change.state === "ended") return this.#end(change);
    if (cursor !== null) this.#catchUp.take({ after: cursor, upto: cursor, events: [] });
    this.#owner.state({ ...change, leader: false, transport: change.transport && "shared" });
  }

  // --- both ---

  /** Tabs share the time of day only, which may be set; how long it is until then is measured from here. */
  #remember(change) {
    if (change === this.#state) return;
    this.#state = change;
    this.#retryAtMs = change.retryAtMs ? performance.now() + change.retryAtMs - Date.now() : -Infinity;
  }

  #post(message) {
    this.#channel?.postMessage({ id: this.#id, term: this.#leader.term, ...message });
  }

  #reset(reset, after) {
    if (isMissedBy(this.#reader.cursor, after, reset.newest)) this.#tellReset(reset);
  }

  #tellReset(reset) {
    this.#owner.reset(reset);
    this.#catchUp.start();
  }

  #end(cause) {
    this.close();
    this.#owner.state({ state: "ended", transport: null, leader: false, ...causeOf(cause) });
  }
}
