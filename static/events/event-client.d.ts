/** Types of event-client.js. What each part does and why stands in docs/clients.md. */

/** `connecting`: also while a leader is looked for; `polling`: no stream gets through; `ended`: refused for good. */
export type State = "connecting" | "live" | "reconnecting" | "polling" | "ended";

/**
 * Where events come from: a stream of this client's own, by Server-Sent Events or where those are blocked by WebSocket;
 * its polls; or another tab that has the connection.
 */
export type Transport = "stream" | "socket" | "poll" | "shared";

export interface StateChange {
  state: State;
  /** Null while nothing is connected. */
  transport: Transport | null;
  /** Whether this client talks to the server itself: always, unless another tab does it. */
  leader: boolean;
  /** From publication to arrival, of the latest live event; null before one. */
  lagMs: number | null;
  /** With "reconnecting": time of the next attempt, as of Date.now(). */
  retryAtMs?: number;
  /** With "reconnecting": whole seconds until then. */
  seconds?: number;
  /** A code, with "reconnecting" and "ended". */
  reason?: string;
  /** By which the server's log knows the refusal, where it was one. */
  correlationId?: string | undefined;
  /** With "ended" and the reason "validation_error": why the query cannot be read. */
  mistake?: QueryMistake | undefined;
}

/** A mistake in a query. Its place counts code points and not UTF-16; `rangeOf` of query.js makes one of the other. */
export interface QueryMistake {
  position: number;
  /** 0: something is missing at this place. */
  length: number;
  /** A sentence that says what would be right. */
  message: string;
}

export interface OperatorEvent {
  type: "event";
  event_id: string;
  seq: number;
  event_type: string;
  summary: string;
  module: string;
  severity: "info" | "warn" | "error" | "critical";
  correlation_id: string;
  payload: Record<string, unknown>;
  /** The payload with the numbers that JavaScript would change as texts; missing where there are none (exact.js). */
  payload_exact?: Record<string, unknown>;
  created_at: string;
  occurred_at: string | null;
}

/** How an event came. */
export interface Arrival {
  /** The position after this event; `since` of another client, or `before` and `since` of GET /events. */
  cursor: string;
  /** From `created_at` to now by the server's clock; null before that is known, and for what is read after the fact. */
  lagMs: number | null;
}

/** Events are missing: what was built from earlier ones is to be read again. */
export interface Reset {
  reason: "expired" | "epoch" | "unknown";
  oldest?: string;
  newest?: string;
}

export interface Filters {
  severity?: string | string[] | undefined;
  module?: string | string[] | undefined;
  event_type?: string | string[] | undefined;
  correlation_id?: string | string[] | undefined;
}

export interface EventClientOptions {
  /** Where the API is, without a slash at the end; "/operator/api". */
  baseUrl?: string;
  /** For a page that works with the session cookie. */
  csrfToken?: string;
  /** Credentials of a page that has others; asked before each request, so that the caller keeps them where it likes. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** None: all that the caller may see. */
  filters?: Filters;
  /** Only events that pass this query, and the filters, come. Empty: all. */
  query?: string;
  /** Cursor to go on from, such as another client's `cursor`; none: from now. */
  since?: string | null | undefined;
  /** So many of the newest events (at most 500) come first without a cursor: at the start and after a reset. */
  history?: number;
  /** Clients of the same origin, `baseUrl` and `share` have one connection between them. Take a key of the session. */
  share?: string;
}

export class EventClient {
  constructor(options?: EventClientOptions);
  /** The position after the last event handed over; null before the first answer. */
  readonly cursor: string | null;
  /** The latest state, with the latest lag; null before start() and after close(). */
  readonly status: StateChange | null;
  on(name: "event", listener: (event: OperatorEvent, arrival: Arrival) => void): this;
  on(name: "state", listener: (change: StateChange) => void): this;
  on(name: "reset", listener: (reset: Reset) => void): this;
  /** Begins, or begins again after "ended" or close(), from the cursor that was reached. */
  start(): this;
  /** Ends a wait for the next attempt, for a reader who does not want to wait; not sooner than the server asks for. */
  retry(): void;
  /** Stops for good and calls no listener any more; another tab takes the connection over. */
  close(): void;
}
