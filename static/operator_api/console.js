/** The console's page: wires the event client to the feed, the state line and the window line. */

import { EventClient } from "../events/event-client.js";
import { ConnectionStatus } from "./connection.js";
import { Feed } from "./feed.js";
import { text } from "./texts.js";
import { WindowMode } from "./window-mode.js";

/** A screen or two of what happened before the page was opened. */
const HISTORY_EVENTS = 100;

const apiUrl = document.body.dataset.apiUrl;
const csrfToken = document.querySelector("meta[name=csrf-token]").content;
const client = new EventClient({ baseUrl: apiUrl, csrfToken, history: HISTORY_EVENTS });
const feed = new Feed();
const windowMode = new WindowMode(apiUrl);
const connection = new ConnectionStatus(() => client.start());

client.on("event", (event) => {
  feed.add(event);
  if (event.event_type.startsWith("window.")) windowMode.refresh();
});
client.on("reset", ({ reason }) => {
  feed.note(text(`reset.${reason}`) ?? text("reset.unknown"));
});
client.on("state", (change) => {
  connection.show(change);
  if (change.state === "live" || change.state === "polling") windowMode.refresh();
  if (change.state === "ended") windowMode.stop();
});
client.start();
