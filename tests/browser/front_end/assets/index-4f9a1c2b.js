/**
 * A front end as those that already exist: it keeps a principal token, sends it as X-VX11-Token, trades it for a ticket
 * to open an EventSource, asks its views every few seconds, and talks. It knows nothing of this server but the API.
 */

import { EventsClient } from "./events-client.js";

const API = "/operator/api";
const POLL_MS = 1000;
const TIMEOUT_MS = 5000;
const VIEWS = ["events", "status", "modules", "settings", "window/status", "chat/window/status", "windows"];
const ADDRESSES = VIEWS.flatMap((view) => [view, `v1/${view}`]);

const token = localStorage.getItem("vx11_token");
const byId = (id) => document.getElementById(id);

export async function call(path, options = {}) {
  const headers = { "X-VX11-Token": token, "Content-Type": "application/json" };
  const response = await fetch(`${API}/${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  return { status: response.status, body: await response.json() };
}

const post = (path, body) => call(path, { method: "POST", body: JSON.stringify(body ?? {}) });

/** What a view is made of: its fields, as this front end reads them. */
const READ = {
  events: ({ events }) => `${events.length} events`,
  status: ({ policy, core_services: core, degraded }) => `${policy} ${Object.keys(core).sort()} ${degraded}`,
  modules: ({ modules }) => Object.entries(modules).map(([name, { status }]) => `${name}=${status}`).sort().join(" "),
  settings: ({ settings, read_only: readOnly }) => `${JSON.stringify(settings)} ${readOnly}`,
};
const readWindow = ({ mode, ttl_seconds: ttl, services }) => `${mode} ${ttl === null ? "held" : "timed"} ${services}`;

function show(address, text) {
  const id = `view-${address.replaceAll("/", "-")}`;
  if (!byId(id)) {
    const term = document.createElement("dt");
    term.textContent = address;
    const value = document.createElement("dd");
    value.id = id;
    byId("views").append(term, value);
  }
  byId(id).textContent = text;
}

async function poll(address) {
  const read = READ[address.replace("v1/", "")] ?? readWindow;
  const { status, body } = await call(address);
  show(address, status === 200 ? read(body) : `refused ${status} ${body.detail}`);
  if (address === "window/status" && status === 200) byId("window").textContent = body.mode;
}

async function pollAll() {
  try {
    await Promise.all(ADDRESSES.map(poll));
  } finally {
    setTimeout(pollAll, POLL_MS);
  }
}

function showEvent(event) {
  const item = document.createElement("li");
  item.textContent = `${event.severity} ${event.module} ${event.event_type} ${event.summary}`;
  byId("events").append(item);
}

byId("open").addEventListener("click", async () => {
  const { body } = await post("window/open", { services: ["switch", "hermes"], ttl_sec: 600, mode: "ttl", reason: "" });
  byId("window").textContent = `${body.status} ${body.ttl_remaining_sec > 0} ${body.services_started}`;
});
byId("close").addEventListener("click", async () => {
  const { body } = await post("chat/window/close");
  byId("window").textContent = `${body.status} ${body.services_stopped}`;
});
byId("chat").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { message } = Object.fromEntries(new FormData(event.target));
  const { status, body } = await post("chat", { message, session_id: "front-end", metadata: {} });
  byId("answer").textContent = status === 200 ? body.response : `${body.status}: ${body.recommended_action}`;
});

const client = new EventsClient(token, showEvent, (state) => {
  byId("stream").textContent = state;
});
client.connect();
pollAll();
