/** The console's page: connects the event client with the feed, the pictures, the window and the controls. */

import { split } from "../events/cursors.js";
import { EventClient } from "../events/event-client.js";
import { addressParameters, changeAddress, onStep, stepTo } from "./address.js";
import { AsOf } from "./as-of.js";
import { Banners } from "./banners.js";
import { Chat } from "./chat.js";
import { ColumnHeads } from "./column-heads.js";
import { ConnectionStatus } from "./connection-status.js";
import { Detail } from "./detail.js";
import { part, partOf, partsOf, slot } from "./dom.js";
import { Export } from "./export.js";
import { Facets } from "./facets.js";
import { Feed } from "./feed.js";
import { EVERYTHING } from "./filter.js";
import { FilterForm } from "./filter-form.js";
import { Fired } from "./fired.js";
import { keepFolds } from "./folds.js";
import { Histogram } from "./histogram.js";
import { Keyboard } from "./keyboard.js";
import { LatencyLine } from "./latency-line.js";
import { LogEnds } from "./log-ends.js";
import { LogPages } from "./log-pages.js";
import { Modules } from "./modules.js";
import { Notices } from "./notices.js";
import { onDemand } from "./on-demand.js";
import { Panels } from "./panels.js";
import { EVENTS_LOOKED_AT, pathsOf } from "./payload-paths.js";
import { middle } from "./place.js";
import { choose, quoted } from "./query-text.js";
import { ApiError, ConsoleApi, showRefusal } from "./requests.js";
import { needs } from "./rights.js";
import { RowLooks } from "./row-looks.js";
import { SessionGuard } from "./session-guard.js";
import { offerFirstSteps } from "./start.js";
import { SuggestionSource } from "./suggestions.js";
import { text, textIfAny } from "./texts.js";
import { fieldToIso, isoToField, isUtc, onZoneChange, useUtc } from "./times.js";
import { WindowBar } from "./window-bar.js";
import { WindowDialogs } from "./window-dialogs.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { WindowStatus } from "./answers.d.ts"
 */

const { apiUrl = "", publicUrl = "", session = "", user = "" } = document.body.dataset;
const csrfToken = partOf(HTMLMetaElement, "meta[name=csrf-token]").content;
const moment = partOf(HTMLInputElement, "[name=at]");
const utc = partOf(HTMLInputElement, "[data-switch=utc]");
const api = new ConsoleApi(apiUrl, csrfToken);
const pages = new LogPages(api);
const client = new EventClient({ baseUrl: apiUrl, csrfToken, share: session });
const panels = new Panels();
const banners = new Banners();
const newest = () => feed.entries.newest(EVENTS_LOOKED_AT);
const filters = new FilterForm(new SuggestionSource(api, newest), askLog);
// Before the feed, which measures its rows.
keepFolds();
const looks = new RowLooks({ seen: () => pathsOf(newest()), changed: () => feed.redraw() });
const feed = new Feed(pages, {
  opened: showDetail,
  moved: (event) => detail.isOpen && detail.show(event),
  failed: showFailure,
  followed: (following) => following && changeAddress({ at: "" }),
});
const detail = new Detail({
  correlated: (id) => filters.set({ ...EVERYTHING, text: `correlation:${quoted(id)}` }),
  inContext: (event) => filters.set(EVERYTHING, event),
  choose: choosing,
  count: (path) => facets.add(path),
  column: (path) => looks.add(path),
  closed: () => panels.closed(),
});
const chat = new Chat(api, () => panels.closed());
const histogram = new Histogram(api, (range) => filters.set(range));
const latency = new LatencyLine();
const modules = new Modules(api, (name) => choosing("module", name, "include"));
const facets = new Facets(api, choosing);
const windowBar = new WindowBar(api, banners, showWindow);
const connection = new ConnectionStatus(banners, { restart: () => client.start(), retry: () => client.retry() });
const notices = new Notices();
const fired = new Fired(api, {
  user,
  news: (count, named) => notices.receive("fired", count, named),
  toFeed: showFired,
  open: openFired,
  closed: () => panels.closed(),
});
const asOf = new AsOf();
for (const part of [histogram, facets]) part.ask(filters.filter);
const windowDialogs = new WindowDialogs(api, windowBar, modules, banners);
const views = onDemand(async () => {
  const { SavedViews } = await import("./on-demand/saved-views.js");
  return new SavedViews(api, () => filters.filter);
}, notLoaded);
const watches = onDemand(async () => {
  const { Watches } = await import("./on-demand/watches.js");
  return new Watches(api, () => filters.filter.text, () => fired.renew());
}, notLoaded);
const ends = new LogEnds(api);
new Export(pages, () => filters.filter);
panels.manage(detail, chat, fired);
new ColumnHeads();
offerFirstSteps(api, (publicUrl || location.origin) + apiUrl);

/** The log is read when the stream stands, so that nothing falls between the two. */
let connected = false;

client.on("event", (event, arrival) => {
  feed.add(event, arrival.cursor);
  histogram.count(event, arrival.cursor);
  facets.note();
  latency.note(arrival.lagMs);
  if (event.severity === "critical") notices.receive("critical", 1, [happeningOf(event)]);
  if (event.event_type.startsWith("watch.")) fired.receive(event);
  if (event.event_type.startsWith("window.")) readWindow();
  if (event.event_type === "chat.message") chat.receive(event);
});
client.on("reset", ({ reason }) => {
  feed.reset(textIfAny(`reset.${reason}`) ?? text("reset.unknown"));
  histogram.start();
  fired.renew();
  readWindow();
});
client.on("state", (change) => {
  connection.show(change);
  asOf.show(change.state === "live" || change.state === "polling");
  if (change.state === "live" || change.state === "polling") begin();
  if (change.state === "ended") end();
});
client.start();
// What the stream says is not needed to know these.
for (const part of [windowBar, modules, fired]) part.start();
new SessionGuard({ session, user }, () => {
  client.close();
  connection.show({ state: "ended", reason: "replaced" });
  end();
});

function end() {
  for (const part of [windowBar, modules, histogram, facets, fired]) part.stop();
  for (const dialog of partsOf(HTMLDialogElement, "dialog[open]")) dialog.close();
}

function begin() {
  for (const part of [windowBar, modules, histogram, facets, fired]) part.start();
  if (!connected) {
    // What fired before this was announced by no event.
    fired.renew();
    showLog();
    showEventOfAddress();
  }
  connected = true;
}

function readWindow() {
  windowBar.renew();
  modules.renew();
}

/** The moment in the address, to which the reader has jumped. */
function jumpedTo() {
  const at = addressParameters().get("at");
  return at && !Number.isNaN(Date.parse(at)) ? new Date(at).toISOString() : null;
}

function showLog() {
  const at = jumpedTo();
  moment.value = at ? isoToField(at) : "";
  feed.show(filters.filter, { at });
}

/**
 * Asks for what the filters are now.
 *
 * @param {import("./filter.js").Filter} filter
 * @param {OperatorEvent | null} beside - an event to go to
 */
function askLog(filter, beside) {
  const { epoch } = split(client.cursor);
  feed.ask(filter, { at: jumpedTo(), beside: beside && epoch ? middle(beside, `${epoch}-${beside.seq}`) : null });
  for (const part of [histogram, facets]) part.ask(filter);
}

/** Shows the event that the address names, which need not be among those in the feed. */
async function showEventOfAddress() {
  const id = addressParameters().get("event");
  if (!id) return detail.isOpen && detail.close();
  if (detail.eventId === id) return;
  try {
    const event = await api.event(id);
    if (addressParameters().get("event") === id) showDetail(event);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    panels.makeRoomFor(detail);
    detail.showMissing(error);
  }
}

/**
 * @param {string} field
 * @param {string} value
 * @param {"include" | "exclude"} choice
 * @param {boolean} [wanted] - false takes it back; without it, a second press does
 */
function choosing(field, value, choice, wanted) {
  filters.set({ text: choose(filters.filter.text, field, value, choice, wanted) });
}

/** @param {import("./requests.js").ApiError | null} error */
function showFailure(error) {
  const mistake = error?.status === 422 ? [error.body.errors?.q].flat()[0] : undefined;
  if (typeof mistake === "object") filters.refused(mistake);
  showRefusal(slot("feed-refusal"), typeof mistake === "object" ? null : error, (sentence) => text("failed", { sentence }));
}

/** @param {OperatorEvent} event */
function showDetail(event) {
  panels.makeRoomFor(detail);
  detail.show(event);
}

/** @param {WindowStatus | null} status */
function showWindow(status) {
  // While the state is not known, the page does not show that the chat is closed.
  chat.allow(status?.chat_enabled ?? true);
  windowDialogs.note(status);
  asOf.read("window", status !== null);
  if (status?.mode === "degraded") banners.show("degraded", text("banner.unknown_window"));
  else if (status?.degraded) banners.show("degraded", text("banner.degraded"));
  else banners.hide("degraded");
}

/** A part of the page did not come. */
function notLoaded() {
  banners.show("load", text("refused.0"));
  addEventListener("click", () => banners.hide("load"), { capture: true, once: true });
}

function openFired() {
  panels.makeRoomFor(fired);
  fired.open();
}

/** @param {import("./fired.js").Range} range */
function showFired(range) {
  // There it stands over the feed.
  if (matchMedia("(width < 52rem)").matches) fired.close();
  stepTo({ ...range, at: "", event: "" });
}

/**
 * @param {OperatorEvent} event
 * @returns {import("./notices.js").Happening}
 */
function happeningOf(event) {
  const { event_id: id, module: name, summary: line } = event;
  return { id, kind: "critical", name, line, open: () => showDetail(event) };
}

function toggleChat() {
  if (chat.isOpen) return chat.close();
  panels.makeRoomFor(chat);
  return chat.open();
}

/** @param {1 | -1} step */
function toError(step) {
  const found = feed.marked.toError(step);
  slot("keys-said").textContent = found ? "" : text("keys.no_error");
}

part("[data-action=chat]").addEventListener("click", toggleChat);
part("[data-action=views]").addEventListener("click", async () => (await views())?.open());
needs(part("[data-action=new-watch]"), "watch:write", banners);
part("[data-action=new-watch]").addEventListener("click", async () => (await watches())?.create());
part("[data-action=watches]").addEventListener("click", async () => (await watches())?.open());
part(".jump").addEventListener("submit", (submit) => {
  submit.preventDefault();
  const at = moment.value && fieldToIso(moment.value);
  changeAddress({ at }, { push: true });
  showLog();
  ends.show(at);
});
onStep(showEventOfAddress);
utc.checked = isUtc();
utc.addEventListener("change", () => useUtc(utc.checked));
onZoneChange(() => {
  feed.redraw();
  histogram.redraw();
  detail.redraw();
  fired.redraw();
  asOf.redraw();
});
new Keyboard({
  "/": () => filters.focus(),
  p: () => feed.togglePause(),
  n: () => feed.toNewest(),
  e: () => toError(1),
  E: () => toError(-1),
  c: toggleChat,
  f: () => fired.toggle(),
  Escape: () => panels.closeAll(),
});
part("#feed").addEventListener("keydown", (press) => {
  /** @type {Record<string, number>} */
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key in moves) feed.marked.move(moves[press.key]);
  else if (press.key === "Enter") feed.marked.open();
  else return;
  press.preventDefault();
});
