/** The operator window: what it is, how long it lasts, and opening, extending and closing it. */

import { ApiError } from "./api.js";
import { duration, hoursAndMinutes } from "./clock.js";
import { Pace } from "./pace.js";
import { text } from "./texts.js";

/** A core module that goes down makes no event, so the state is also read at this pace. */
const REFRESH_MS = 30_000;
const COUNT_MS = 1_000;

export class WindowBar {
  #api;
  #changed;
  #chip = document.querySelector(".window");
  #words = document.querySelector("[data-slot=window]");
  #left = document.querySelector("[data-slot=window-left]");
  #pace = new Pace(REFRESH_MS, () => this.refresh());
  #counting = null;
  #reading = false;
  #stale = false;
  /** As the server told it; null when it did not. */
  status = null;

  /** @param {(status: ?object) => void} changed - after each reading */
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  start() {
    this.#pace.start();
  }

  stop() {
    this.#pace.stop();
    clearInterval(this.#counting);
  }

  /** Reads again: now, or once the page is looked at. */
  renew() {
    this.#pace.soon();
  }

  /** Reads and shows the state; what is asked for during a read leads to one more read after it. */
  async refresh() {
    this.#stale = true;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#stale) {
        this.#stale = false;
        this.show(await this.#read());
      }
    } finally {
      this.#reading = false;
      this.#pace.next();
    }
  }

  /** @param {?object} status - window/status, or what opening and closing answered */
  show(status) {
    this.status = status;
    const mode = status?.mode ?? "unknown";
    this.#chip.dataset.mode = status?.degraded ? "degraded" : mode;
    const words = describe(mode, status);
    // Said once, not at every read: this line is announced.
    if (this.#words.textContent !== words) this.#words.textContent = words;
    const isOpen = mode === "window_active";
    for (const button of this.#chip.querySelectorAll("[data-window]")) {
      button.hidden = mode === "unknown" || (button.dataset.window === "open") === isOpen;
    }
    // A window that somebody holds open has no end to be put off.
    if (isOpen && status.ttl_seconds === null) this.#chip.querySelector("[data-window=extend]").hidden = true;
    this.#countDown(isOpen ? status.ttl_seconds : null);
    this.#changed(status);
  }

  /** The button that opened a dialog may be gone when it closes. */
  focus() {
    this.#chip.querySelector("[data-window]:not([hidden])")?.focus();
  }

  async #read() {
    try {
      return await this.#api.get("/window/status");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null;
    }
  }

  /** For those who look; those who listen hear until when. Counted from here: clocks of devices do not agree. */
  #countDown(seconds) {
    clearInterval(this.#counting);
    this.#left.textContent = "";
    if (seconds === null || seconds === undefined) return;
    const endMs = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endMs - performance.now()) / 1000));
      this.#left.textContent = duration(left);
      if (left) return;
      clearInterval(this.#counting);
      // The server closes it by its own clock and then says so.
      setTimeout(() => this.renew(), COUNT_MS);
    };
    tick();
    this.#counting = setInterval(tick, COUNT_MS);
  }
}

function describe(mode, status) {
  if (mode !== "window_active") return text(`window.${mode}`) ?? text("window.unknown");
  if (status.ttl_seconds === null) return text("window.held");
  return text("window.window_active", { time: hoursAndMinutes(Date.now() + status.ttl_seconds * 1000) });
}
