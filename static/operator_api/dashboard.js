/**
 * The dashboard: asks for the figures every few seconds while the page is visible, and shows them. Where there is no
 * answer, it shows why and asks again.
 */

import { Chart } from "./dashboard-charts.js";
import { part, partsOf, slot } from "./dom.js";

/** @import { DashboardFigures, ServerProcess } from "./answers.d.ts" */

const REFRESH_MS = 5000;
const ANSWER_LIMIT_MS = 10000;
const NUMBERS = new Intl.NumberFormat("en-GB");
const STATES = { serving: "serving", draining: "about to stop", silent: "gone or stuck" };

const root = part("#dashboard");
const charts = partsOf(HTMLElement, "[data-chart]", root).map((figure) => new Chart(figure));
let timer = 0;
let asking = false;

/**
 * The figures, or an Error whose message is for the reader.
 *
 * @returns {Promise<DashboardFigures>}
 */
async function ask() {
  const response = await fetch(root.dataset.url ?? "", {
    headers: { Accept: "application/json" },
    cache: "no-store",
    redirect: "manual",
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  }).catch(() => null);
  if (response === null) throw new Error("The server does not answer. Trying again.");
  if (response.type === "opaqueredirect") throw new Error("You are signed out. Reload the page to sign in.");
  if (response.status === 403) throw new Error("You have no right to see these figures.");
  if (!response.ok) throw new Error(`The figures cannot be read now (${response.status}). Trying again.`);
  return response.json();
}

async function refresh() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    show(await ask());
  } catch (error) {
    showState(error instanceof Error ? error.message : String(error), true);
  } finally {
    asking = false;
    timer = setTimeout(refresh, REFRESH_MS);
  }
}

/**
 * A status that stays the same is not set again: a screen reader would read it out every few seconds.
 *
 * @param {string} text
 * @param {boolean} stale
 */
function showState(text, stale) {
  root.classList.toggle("stale", stale);
  const state = slot("state", root);
  if (state.textContent !== text) state.textContent = text;
}

/** @param {DashboardFigures} data */
function show(data) {
  for (const [name, value] of Object.entries(data.figures)) {
    const place = root.querySelector(`[data-figure=${name}]`);
    if (place) place.textContent = typeof value === "number" ? NUMBERS.format(value) : value;
  }
  for (const chart of charts) chart.show(data.minutes, data.charts[chart.name]);
  slot("nodes", root).replaceChildren(...data.nodes.map(nodeRow));
  const notes = ["Times are UTC. The newest minute is not over yet."];
  if (!data.counted) notes.push("Older minutes are still being counted.");
  if (data.lower_bound) notes.push("So much happens that some minutes are counted in part: the true figures may be higher.");
  slot("note", root).textContent = notes.join(" ");
  showState("Live, every 5 seconds", false);
}

/** @param {ServerProcess} node */
function nodeRow(node) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = node.name;
  const figures = [node.streams, node.slow_readers, node.held_bytes].map((number) => NUMBERS.format(number));
  const cells = [STATES[node.state], ...figures, `${NUMBERS.format(node.seen_seconds)} s ago`].map((text, index) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.className = index ? "number" : `state ${node.state}`;
    return cell;
  });
  row.append(head, ...cells);
  return row;
}

document.addEventListener("visibilitychange", refresh);
refresh();
