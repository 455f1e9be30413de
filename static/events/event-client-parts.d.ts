/** What the modules of the event client give to one another. What a page sees stands in event-client.d.ts. */

import type { OperatorEvent, QueryMistake, Reset, State, Transport } from "./event-client.d.ts";

/** All events that the session may see after one position, up to another. */
export interface Range {
  /** Null: begins where the reader is, whatever that means. */
  after: string | null;
  upto: string;
  events: OperatorEvent[];
  /** The events were sent as they were written. */
  live?: boolean;
}

/** A range that begins where the one before it ended. */
export type NextRange = Omit<Range, "after">;

/** The server always sends where the log goes on. */
export interface LogReset extends Reset {
  newest: string;
}

/** GET /events: 200. */
export interface EventPage {
  events: OperatorEvent[];
  cursor: string;
  first_cursor?: string;
  has_more: boolean;
}

/** GET /events: 410. */
export interface ResetAnswer {
  reset: Reset["reason"];
  oldest?: string;
  newest: string;
}

export type EventAnswer = { status: 200; body: EventPage } | { status: 410; body: ResetAnswer };

/** Why a connection waits or has ended, as far as a page needs it. */
export interface Cause {
  reason: string;
  correlationId?: string | undefined;
  mistake?: QueryMistake | undefined;
}

/** The state of a connection, before a client adds its own part to it. */
export interface ConnectionState extends Partial<Cause> {
  state: State;
  transport: Transport | null;
  retryAtMs?: number;
}

/** A ConnectionState for one tab: whether that tab has the connection. */
export interface TabState extends ConnectionState {
  leader: boolean;
}

/** What a connection gives to the one that made it. */
export interface ConnectionOwner {
  /** Ranges follow one another without a gap. */
  range(range: Range): void;
  /** `time`: the server's time of day. */
  heartbeat(time: string): void;
  /** Events are missing between `after` and the next range. */
  reset(reset: LogReset, after: string | null): void;
  state(change: ConnectionState): void;
}

/** What a shared connection gives to the client of its tab. */
export interface TabOwner {
  clock: import("./clock.js").Clock;
  heartbeat(time: string): void;
  reset(reset: LogReset): void;
  state(change: TabState): void;
}

/** What tabs send to one another, each with the sender's id and the term of the leader that it knows. */
export type TabMessage =
  | { kind: "ask"; hidden: boolean }
  | { kind: "bye" }
  | { kind: "retry" }
  | { kind: "range"; range: Range }
  | { kind: "heartbeat"; time: string }
  | { kind: "reset"; reset: LogReset; after: string | null }
  | { kind: "state"; change: ConnectionState; cursor: string | null; aheadMs: number | null };

export type Sent<Message extends TabMessage = TabMessage> = Message & { id: string; term: number };

/** Decides which tab leads: with Web Locks, or by messages alone. */
export interface Election {
  /** Until elected, or until another tab is known to lead. */
  stand(): void;
  /** Another tab leads. */
  noteLeader(): void;
  /** The leader does not answer any more. */
  force(): void;
  /** Leads no longer, and does not stand. */
  withdraw(): void;
}
