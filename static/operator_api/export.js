/** The filtered feed as a file: NDJSON for programs, CSV for spreadsheets. The newest events that pass, oldest first. */

import { eventJson, payloadJson } from "../events/exact.js";
import { ApiError, showRefusal } from "./api.js";
import { sizeOf } from "./entries.js";
import { text } from "./texts.js";
import { number } from "./clock.js";
import { visible, withoutControls } from "./unseen.js";

/** A file is made in memory, and a log may hold a million events of 64 KiB. Of the two, what is reached first. */
const EXPORT_LIMIT = 10_000;
const EXPORT_LIMIT_BYTES = 64 * 1024 * 1024;
const COLUMNS = ["created_at", "occurred_at", "severity", "module", "event_type", "summary", "correlation_id", "event_id"];
/** What a spreadsheet may take for a formula, also behind what some of them skip. */
const FORMULA = /^(?:[\t\n]|[\p{C}\p{Z}"']*[=+\-@＝＋－＠﹢﹣])/u;
const KINDS = {
  ndjson: { type: "application/x-ndjson", encode: asNdjson },
  csv: { type: "text/csv", encode: asCsv },
};

export class Export {
  #place = document.querySelector("[data-slot=export]");
  #buttons = document.querySelectorAll("[data-export]");
  #stop = document.querySelector("[data-action=stop-export]");
  #reading = new AbortController();

  /** @param {import("./log-pages.js").LogPages} pages  @param {() => object} filter */
  constructor(pages, filter) {
    for (const button of this.#buttons) {
      button.addEventListener("click", () => this.#save(pages, filter(), button.dataset.export));
    }
    this.#stop.addEventListener("click", () => this.#reading.abort());
  }

  async #save(pages, filter, kind) {
    this.#reading = new AbortController();
    this.#be("reading");
    try {
      const { events, complete } = await this.#collect(pages, filter);
      const { type, encode } = KINDS[kind];
      download(new Blob([encode(events)], { type }), `events-${new Date().toISOString().replace(/[:.]/g, "-")}.${kind}`);
      this.#say(text(complete ? "export.done" : "export.cut", { n: number(events.length) }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#place, error);
    } finally {
      this.#be("done");
    }
  }

  /** A text that is rare may be looked for in the whole log: whoever has waited long enough saves what was found. */
  async #collect(pages, filter) {
    const { signal } = this.#reading;
    let entries = [];
    let older = null;
    let bytes = 0;
    let ask = () => pages.newest(filter, signal);
    do {
      this.#say(text("export.reading", { n: number(entries.length) }));
      const piece = await unlessStopped(ask, signal);
      if (!piece) return { events: entries.map(({ event }) => event), complete: false };
      entries = [...piece.entries, ...entries];
      bytes += sizeOfAll(piece.entries);
      older = piece.older;
      ask = () => pages.before(older, filter, signal);
    } while (older && entries.length < EXPORT_LIMIT && bytes < EXPORT_LIMIT_BYTES);
    const complete = !older && entries.length <= EXPORT_LIMIT;
    return { events: entries.slice(-EXPORT_LIMIT).map(({ event }) => event), complete };
  }

  #be(state) {
    const hadFocus = document.activeElement === this.#stop;
    for (const button of this.#buttons) button.disabled = state === "reading";
    this.#stop.hidden = state !== "reading";
    if (hadFocus) this.#buttons[0].focus();
  }

  #say(sentence) {
    this.#place.hidden = false;
    this.#place.textContent = sentence;
  }
}

/** What `ask` finds; null when somebody has pressed Stop. */
async function unlessStopped(ask, signal) {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function sizeOfAll(entries) {
  return entries.reduce((sum, { event }) => sum + sizeOf(event), 0);
}

function asNdjson(events) {
  return events.map(({ type, ...event }) => `${visible(eventJson(event))}\n`).join("");
}

function asCsv(events) {
  const lines = events.map((event) => [...COLUMNS.map((name) => event[name]), payloadJson(event)]);
  // The mark in front is how spreadsheets know UTF-8.
  return `\ufeff${[[...COLUMNS, "payload"], ...lines].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("")}`;
}

/** Quoted, and with a quote in front where it would be run as a formula. */
function cell(value) {
  const words = withoutControls(String(value ?? ""));
  const safe = FORMULA.test(words) ? `'${words}` : words;
  return `"${safe.replaceAll('"', '""')}"`;
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The browser takes its own hold of the file when the download begins.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
