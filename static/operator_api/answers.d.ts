/**
 * Answers of the operator API and of the admin's dashboard, as far as these pages read them.
 *
 * An interface named like a schema of the OpenAPI document has only fields of it (tests/browser/test_types.py).
 */

import type { OperatorEvent } from "../events/event-client.d.ts";

export interface EventPage {
  events: OperatorEvent[];
  cursor: string;
  has_more: boolean;
  first_cursor: string;
  searched_from: { cursor: string; time: string | null };
  complete: boolean;
}

export type Counts = Record<OperatorEvent["severity"], number>;

export interface Stats {
  buckets: (Counts & { start: string })[];
  bucket: number;
  cursor: string;
  complete: boolean;
}

export interface FacetValue {
  value: string;
  count: number;
}

export interface Facets {
  facets: Record<string, { values: FacetValue[]; distinct: number; sample: boolean }>;
  complete: boolean;
}

export interface WindowStatus {
  mode: "solo_madre" | "window_active" | "degraded";
  ttl_seconds: number | null;
  services: string[];
  reason: string | null;
  opened_by: string | null;
  degraded: boolean;
  chat_enabled: boolean;
}

export interface Module {
  status: string;
  reason: string | null;
  category: "core" | "optional" | "operator";
  last_seen: string | null;
  publishing: boolean;
  configured: boolean;
}

export interface Modules {
  modules: Record<string, Module>;
}

export interface SavedView {
  id: string;
  name: string;
  query: string;
  from: string;
  to: string;
  columns: string;
  facets: string;
  shared: boolean;
  start: boolean;
  mine: boolean;
  owner: string;
}

export interface SavedViews {
  views: SavedView[];
}

export interface Firing {
  firing_id: string;
  watch_id: number;
  name: string;
  query: string;
  group_by: string | null;
  owner: string;
  mine: boolean;
  muted_until: string | null;
  group: string;
  fired_at: string;
  resolved_at: string | null;
  count: number;
  values: string[];
  first_at: string | null;
  last_at: string | null;
  cursor: string;
  muted: boolean;
}

export interface Firings {
  firings: Firing[];
  next: string | null;
}

export type Condition =
  | { kind: "count"; at_least: number; within_sec: number }
  | { kind: "absence"; for_sec: number }
  | { kind: "new_value"; field: string; days: number }
  | { kind: "every" };

export interface Watch {
  id: number;
  name: string;
  query: string;
  condition: Condition;
  group_by: string | null;
  cooldown_sec: number;
  notify: string[];
  shared: boolean;
  muted_until: string | null;
  owner: string;
  mine: boolean;
  state: "active" | "learning" | "stopped";
  stopped_because: string | null;
}

export interface Watches {
  watches: Watch[];
}

export interface WatchPreview {
  would_fire: number;
  at: string[];
  events: number;
  searched_from: string;
  complete: boolean;
}

export interface WatchTargets {
  targets: { name: string; failing: boolean }[];
}

export interface ChatMessage {
  message_id: string;
  role: "user" | "assistant" | "system";
  content: string;
  created_at: string;
  correlation_id: string;
}

export interface ChatHistory {
  messages: ChatMessage[];
}

export interface ChatReply {
  correlation_id: string;
  degraded: boolean;
}

/** What is read, by its path. */
export interface Reads {
  "/events": EventPage;
  "/events/stats": Stats;
  "/events/facets": Facets;
  [around: `/events/${string}/around`]: EventPage;
  "/window/status": WindowStatus;
  "/modules": Modules;
  "/chat": ChatHistory;
  "/views": SavedViews;
  "/watches": Watches;
  "/watches/fired": Firings;
  "/watches/targets": WatchTargets;
  [watch: `/watches/${number}`]: Watch;
}

/** What a command answers, by its path. */
export interface Commands {
  "/chat": ChatReply;
  "/test-event": object;
  "/window/open": WindowStatus;
  "/window/extend": WindowStatus;
  "/window/close": WindowStatus;
  "/views": SavedView;
  [view: `/views/${string}`]: Partial<SavedView>;
  "/watches": Watch;
  "/watches/preview": WatchPreview;
  [watch: `/watches/${number}`]: Watch;
  [mute: `/watches/${number}/mute`]: Watch;
}

/** The body of a refusal; any part may be missing when it comes from something between the page and the server. */
export interface RefusalBody {
  reason?: string;
  title?: string;
  message?: string;
  correlation_id?: string;
  errors?: Record<string, string | string[] | { position: number; length: number; message: string }[]>;
}

/** Names to a figure, or null where it is not counted yet, for each minute. */
export type Series = Record<string, (number | null)[]>;

export interface ServerProcess {
  name: string;
  state: "serving" | "draining" | "silent";
  streams: number;
  slow_readers: number;
  held_bytes: number;
  seen_seconds: number;
}

export interface DashboardFigures {
  figures: Record<string, string | number>;
  nodes: ServerProcess[];
  minutes: string[];
  charts: Record<string, Series>;
  counted: boolean;
  lower_bound: boolean;
}
