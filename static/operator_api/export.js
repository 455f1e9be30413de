/** The filtered feed as a file: NDJSON for programs, CSV for spreadsheets. The newest that pass, oldest first. */

import { eventJson, payloadJson } from "../events/exact.js";
import { part, partsOf, slot } from "./dom.js";
import { sizeOf } from "./entries.js";
import { ApiError, showRefusal } from "./requests.js";
import { text } from "./texts.js";
import { number } from "./times.js";
import { visible, withoutControls } from "./unseen.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { PlacedEvent } from "./entries.js"
 * @import { Filter } from "./filter.js"
 * @import { LogPages, Piece } from "./log-pages.js"
 */

/** A file is made in memory, and a log may hold a million events of 64 KiB. Of the two, what is reached first. */
const EXPORT_LIMIT = 10_000;
const EXPORT_LIMIT_BYTES = 64 * 1024 * 1024;
/** @type {(keyof OperatorEvent)[]} */
const COLUMNS = [
  "created_at", "occurred_at", "severity", "module", "event_type", "summary", "correlation_id", "event_id",
];
/** What a spreadsheet may take for a formula, also behind what some of them skip. */
const FORMULA = /^(?:[\t\n]|[\p{C}\p{Z}"']*[=+\-@＝＋－＠﹢﹣])/u;
const KINDS = {
  ndjson: { type: "application/x-ndjson", encode: asNdjson },
  csv: { type: "text/csv", encode: asCsv },
};

/** @typedef {keyof typeof KINDS} Kind */

export class Export {
  #place = slot("export");
  #buttons = partsOf(HTMLButtonElement, "[data-export]");
  #stop = part("[data-action=stop-export]");
  #reading = new AbortController();

  /**
   * @param {LogPages} pages
   * @param {() => Filter} filter
   */
  constructor(pages, filter) {
    for (const kind of /** @type {Kind[]} */ (Object.keys(KINDS))) {
      part(`[data-export=${kind}]`).addEventListener("click", () => this.#save(pages, filter(), kind));
    }
    this.#stop.addEventListener("click", () => this.#reading.abort());
  }

  /**
   * @param {LogPages} pages
   * @param {Filter} filter
   * @param {Kind} kind
   */
  async #save(pages, filter, kind) {
    this.#reading = new AbortController();
    this.#be("reading");
    try {
      const { events, complete } = await this.#collect(pages, filter);
      const { type, encode } = KINDS[kind];
      const time = new Date().toISOString().replace(/[:.]/g, "-");
      download(new Blob([encode(events)], { type }), `events-${time}.${kind}`);
      this.#show(text(complete ? "export.done" : "export.cut", { n: number(events.length) }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#place, error);
    } finally {
      this.#be("done");
    }
  }

  /**
   * The search for a rare text may read the whole log. "Save what is there" ends it and saves what was found.
   *
   * @param {LogPages} pages
   * @param {Filter} filter
   */
  async #collect(pages, filter) {
    const { signal } = this.#reading;
    /** @type {PlacedEvent[]} */
    let entries = [];
    /** @type {string | null} */
    let older = null;
    let bytes = 0;
    do {
      this.#show(text("export.reading", { n: number(entries.length) }));
      /** @type {string | null} */
      const cursor = older;
      const ask = () => (cursor === null ? pages.newest(filter, signal) : pages.before(cursor, filter, signal));
      const piece = await unlessStopped(ask, signal);
      if (!piece) return { events: entries.map(({ event }) => event), complete: false };
      entries = [...piece.entries, ...entries];
      bytes += sizeOfAll(piece.entries);
      older = piece.older;
    } while (older && entries.length < EXPORT_LIMIT && bytes < EXPORT_LIMIT_BYTES);
    const complete = !older && entries.length <= EXPORT_LIMIT;
    return { events: entries.slice(-EXPORT_LIMIT).map(({ event }) => event), complete };
  }

  /** @param {"reading" | "done"} state */
  #be(state) {
    const hadFocus = document.activeElement === this.#stop;
    for (const button of this.#buttons) button.disabled = state === "reading";
    this.#stop.hidden = state !== "reading";
    if (hadFocus) this.#buttons[0].focus();
  }

  /** @param {string} sentence */
  #show(sentence) {
    this.#place.hidden = false;
    this.#place.textContent = sentence;
  }
}

/**
 * What `ask` finds; null when the reader has stopped the search.
 *
 * @param {() => Promise<Piece>} ask
 * @param {AbortSignal} signal
 */
async function unlessStopped(ask, signal) {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** @param {PlacedEvent[]} entries */
function sizeOfAll(entries) {
  return entries.reduce((sum, { event }) => sum + sizeOf(event), 0);
}

/** @param {OperatorEvent[]} events */
function asNdjson(events) {
  return events.map(({ type: _, ...event }) => `${visible(eventJson(event))}\n`).join("");
}

/** @param {OperatorEvent[]} events */
function asCsv(events) {
  const lines = events.map((event) => [...COLUMNS.map((name) => event[name]), payloadJson(event)]);
  // The mark in front is how spreadsheets know UTF-8.
  return `\ufeff${[[...COLUMNS, "payload"], ...lines].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("")}`;
}

/**
 * Quoted, and with a quote in front where it would be run as a formula.
 *
 * @param {unknown} value
 */
function cell(value) {
  const words = withoutControls(String(value ?? ""));
  const safe = FORMULA.test(words) ? `'${words}` : words;
  return `"${safe.replaceAll('"', '""')}"`;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The browser takes its own hold of the file when the download begins.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
