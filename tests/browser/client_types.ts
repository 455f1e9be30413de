/**
 * How a page in TypeScript uses the event client. `make check` compiles it, nothing runs it: where a line that must be
 * wrong compiles, or one that must be right does not, the types of event-client.d.ts have changed.
 */

import type { EventClient as Typed, OperatorEvent, StateChange } from "../../static/events/event-client.d.ts";
import { EventClient } from "../../static/events/event-client.js";
import { parse, rangeOf } from "../../static/events/query.js";

// The module has what the types say, its constructor included.
const Client: typeof Typed = EventClient;

const client = new Client({ csrfToken: "token", filters: { severity: ["error", "critical"] }, history: 50, share: "key" });
new Client({ headers: () => ({ "X-VX11-Token": "token" }), since: client.cursor, query: "severity>=warn" });
new Client({ headers: async () => ({ "X-VX11-Token": await Promise.resolve("token") }) });

client
  .on("event", (event: OperatorEvent, { cursor, lagMs }) => {
    const parts: (string | number | null)[] = [event.severity, event.summary, event.seq, cursor, lagMs];
    return parts;
  })
  .on("state", ({ state, transport, seconds, reason }: StateChange) => [state, transport, seconds, reason])
  .on("state", ({ mistake }) => mistake && rangeOf("severity>=warn", mistake) satisfies [number, number])
  .on("event", (event) => parse("severity>=warn").matches(event) satisfies boolean)
  .on("reset", ({ reason, newest }) => [reason, newest])
  .start();

// @ts-expect-error There is no such event.
client.on("message", () => {});
// @ts-expect-error An event has no text.
client.on("event", (event) => event.text);
// @ts-expect-error Only the client moves its cursor.
client.cursor = "e-1";
// @ts-expect-error There is no such option.
new Client({ token: "token" });
// @ts-expect-error A query is a text.
new Client({ query: ["disk"] });
// @ts-expect-error There is no such filter.
new Client({ filters: { text: "disk" } });

client.close();
