/** The console's page: wires the event client to the feed, the pictures, the window and the people who look. */

import { EventClient } from "../events/event-client.js";
import { addressParameters, changeAddress } from "./address.js";
import { Api, showRefusal } from "./api.js";
import { Banners } from "./banners.js";
import { Chat } from "./chat.js";
import { fieldToIso, isUtc, isoToField, onZoneChange, useUtc } from "./clock.js";
import { ConnectionStatus } from "./connection.js";
import { Detail } from "./detail.js";
import { Export } from "./export.js";
import { Feed } from "./feed.js";
import { FilterForm } from "./filters.js";
import { Keyboard } from "./keyboard.js";
import { LatencyLine } from "./latency-line.js";
import { LogPages } from "./log-pages.js";
import { Modules } from "./modules.js";
import { Notices } from "./notices.js";
import { Panels } from "./panels.js";
import { RateChart } from "./rate-chart.js";
import { SessionGuard } from "./session-guard.js";
import { text } from "./texts.js";
import { WindowBar } from "./window-bar.js";
import { WindowDialogs } from "./window-dialogs.js";

const element = (selector) => document.querySelector(selector);
const on = (selector, event, handler) => element(selector).addEventListener(event, handler);

const { apiUrl, session } = document.body.dataset;
const csrfToken = element("meta[name=csrf-token]").content;
const api = new Api(apiUrl, csrfToken);
const pages = new LogPages(api);
const client = new EventClient({ baseUrl: apiUrl, csrfToken, share: session });
const panels = new Panels();
const banners = new Banners();
const filters = new FilterForm(() => showLog());
const feed = new Feed(pages, {
  filter: filters.filter,
  opened: showDetail,
  failed: (error) => showRefusal(element("[data-slot=feed-refusal]"), error),
  moved: (following) => following && changeAddress({ at: "" }),
});
const detail = new Detail({ correlated: (id) => filters.only({ correlation: id }), closed: () => panels.closed() });
const chat = new Chat(api, () => panels.closed());
const rate = new RateChart(api);
const latency = new LatencyLine();
const modules = new Modules(api, (name) => filters.set({ module: filters.filter.module === name ? "" : name }));
const windowBar = new WindowBar(api, showWindow);
const connection = new ConnectionStatus(banners, () => client.start());
const notices = new Notices(showDetail);
new WindowDialogs(api, windowBar, modules);
new Export(pages, () => filters.filter);
panels.manage(detail, chat);

/** The log is read when the stream stands, so that nothing falls between the two. */
let connected = false;

client.on("event", (event, arrival) => {
  feed.add(event, arrival.cursor);
  filters.offerModule(event.module);
  rate.count(event, arrival.cursor);
  latency.note(arrival.lagMs);
  notices.heard(event);
  if (event.event_type.startsWith("window.")) readWindow();
  if (event.event_type === "chat.message") chat.heard(event);
});
client.on("reset", ({ reason }) => {
  feed.reset(text(`reset.${reason}`) ?? text("reset.unknown"));
  rate.start();
  readWindow();
});
client.on("state", (change) => {
  connection.show(change);
  if (change.state === "live" || change.state === "polling") begin();
  if (change.state === "ended") end();
});
client.start();
new SessionGuard(session, () => {
  client.close();
  connection.show({ state: "ended", reason: "replaced" });
  end();
});

function end() {
  for (const part of [windowBar, modules, rate]) part.stop();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

function begin() {
  for (const part of [windowBar, modules, rate]) part.start();
  if (!connected) showLog();
  connected = true;
}

function readWindow() {
  windowBar.renew();
  modules.renew();
}

function showLog() {
  const at = addressParameters().get("at");
  const moment = at && !Number.isNaN(Date.parse(at)) ? new Date(at).toISOString() : null;
  element("[data-action=clear]").hidden = !filters.active;
  element("[name=at]").value = moment ? isoToField(moment) : "";
  feed.show(filters.filter, { at: moment, filtered: filters.active });
}

function showDetail(event) {
  panels.makeRoomFor(detail);
  detail.show(event);
}

function showWindow(status) {
  // What is not known is not claimed.
  chat.allow(status?.chat_enabled ?? true);
  if (status?.mode === "degraded") banners.show("degraded", text("banner.unknown_window"));
  else if (status?.degraded) banners.show("degraded", text("banner.degraded"));
  else banners.hide("degraded");
}

function toggleChat() {
  if (chat.isOpen) return chat.close();
  panels.makeRoomFor(chat);
  return chat.open();
}

function toError(step) {
  const found = feed.toError(step);
  element("[data-slot=keys-said]").textContent = found ? "" : text("keys.no_error");
}

// Where there is little room, the feed comes first.
const narrow = matchMedia("(width < 52rem)");
const fold = () => document.querySelectorAll(".pictures, .tools").forEach((part) => (part.open = !narrow.matches));
narrow.addEventListener("change", fold);
fold();
on("[data-action=chat]", "click", toggleChat);
on("[data-action=clear]", "click", () => {
  filters.clear();
  // The button is gone then.
  element("#feed").focus({ preventScroll: true });
});
on(".jump", "submit", (submit) => {
  submit.preventDefault();
  const { value } = element("[name=at]");
  changeAddress({ at: value && fieldToIso(value) }, { push: true });
  showLog();
});
element("[data-switch=utc]").checked = isUtc();
on("[data-switch=utc]", "change", ({ target }) => useUtc(target.checked));
onZoneChange(() => {
  feed.redraw();
  detail.redraw();
});
new Keyboard({
  "/": () => filters.focusText(),
  p: () => feed.togglePause(),
  n: () => feed.toNewest(),
  e: () => toError(1),
  E: () => toError(-1),
  c: toggleChat,
  Escape: () => panels.closeAll(),
});
on("#feed", "keydown", (press) => {
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key in moves) feed.move(moves[press.key]);
  else if (press.key === "Enter") feed.openMarked();
  else return;
  press.preventDefault();
});
