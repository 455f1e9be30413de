/** The operator window in words, read again whenever an event or the clock says that it may have changed. */

import { text } from "./texts.js";

/** A core module that goes down makes no event, so the state is also read at this pace. */
const REFRESH_MS = 30_000;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

export class WindowMode {
  #url;
  #chip = document.querySelector(".window");
  #words = document.querySelector("[data-slot=window]");
  #timer = null;
  #reading = false;
  #stale = false;
  #stopped = false;

  constructor(apiUrl) {
    this.#url = `${apiUrl}/window/status`;
  }

  /** Reads and shows the state; what is asked for during a read leads to one more read after it. */
  async refresh() {
    this.#stale = true;
    this.#stopped = false;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#stale) {
      this.#stale = false;
      this.#show(await this.#read());
    }
    this.#reading = false;
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  /** Until the next refresh(). */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #read() {
    try {
      const response = await fetch(this.#url, { headers: { Accept: "application/json" }, cache: "no-store" });
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  #show(status) {
    const mode = status?.mode ?? "unknown";
    const warning = status?.degraded && mode !== "degraded" ? ` · ${text("window.core_down")}` : "";
    this.#chip.dataset.mode = warning ? "degraded" : mode;
    const words = describe(mode, status) + warning;
    // Said once, not at every read: this line is announced.
    if (this.#words.textContent !== words) this.#words.textContent = words;
  }
}

function describe(mode, status) {
  if (mode !== "window_active") return text(`window.${mode}`) ?? text("window.unknown");
  if (status.ttl_seconds === null) return text("window.held");
  // Counted from here: the clock of this device may not agree with the server's deadline.
  return text("window.window_active", { time: clock.format(Date.now() + status.ttl_seconds * 1000) });
}
