/** The operator window: what it is, how long it lasts, and opening, extending and closing it. */

import { part, partOf, partsOf, slot } from "./dom.js";
import { may } from "./rights.js";
import { Pace } from "./pace.js";
import { ApiError } from "./requests.js";
import { text, textIfAny } from "./texts.js";
import { duration, minuteTime } from "./times.js";

/** @import { WindowStatus } from "./answers.d.ts" */

/** A core module that goes down makes no event, so the state is also read at this pace. */
const REFRESH_MS = 30_000;
const COUNT_MS = 1_000;
/** From here on the window is about to end: the bar is amber, and it is said once. */
const ENDING_SECONDS = 60;

export class WindowBar {
  #api;
  #banners;
  #changed;
  #chip = part(".window");
  #buttons = partsOf(HTMLButtonElement, "[data-window]", this.#chip);
  #extend = partOf(HTMLButtonElement, "[data-window=extend]", this.#chip);
  #words = slot("window");
  #why = slot("window-why");
  #left = slot("window-left");
  #pace = new Pace(REFRESH_MS, () => this.refresh());
  /** @type {number | undefined} */
  #counting;
  #reading = false;
  #stale = false;
  /** When the window that was shown last ends, by this device's clock of running time. */
  #endMs = Infinity;
  /**
   * As the server answered; null when it did not.
   *
   * @type {WindowStatus | null}
   */
  status = null;

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {import("./banners.js").Banners} banners
   * @param {(status: WindowStatus | null) => void} changed - called after each reading
   */
  constructor(api, banners, changed) {
    this.#api = api;
    this.#banners = banners;
    this.#changed = changed;
  }

  start() {
    this.#pace.start();
  }

  stop() {
    this.#pace.stop();
    clearInterval(this.#counting);
  }

  /** Reads again: now, or once the page is visible. */
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

  /** @param {WindowStatus | null} status - window/status, or what opening and closing answered */
  show(status) {
    this.#noteEnd(status);
    this.status = status;
    const mode = status?.mode ?? "unknown";
    this.#chip.dataset.mode = status?.degraded ? "degraded" : mode;
    const words = describe(status);
    // Screen readers read out each change of this line, so the same words are not set again.
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#why.textContent = this.#why.title = reasonOf(status);
    const isOpen = mode === "window_active";
    for (const button of this.#buttons) {
      button.hidden = mode === "unknown" || (button.dataset.window === "open") === isOpen;
    }
    const ttlSeconds = isOpen ? (status?.ttl_seconds ?? null) : null;
    // A window without a deadline has none to be put off.
    if (isOpen && ttlSeconds === null) this.#extend.hidden = true;
    this.#countDown(ttlSeconds);
    this.#changed(status);
  }

  /**
   * A window that is gone after its time has expired; one that is gone before was closed, by this reader or another.
   *
   * @param {WindowStatus | null} status
   */
  #noteEnd(status) {
    const was = this.status;
    if (status?.mode === "window_active") this.#banners.hide("expired");
    if (was?.mode !== "window_active" || status?.mode !== "solo_madre") return;
    if (performance.now() < this.#endMs - COUNT_MS) return;
    const sentence = text("window.expired", { time: minuteTime(Date.now()) });
    this.#banners.show("expired", sentence, {
      words: text("window.understood"),
      pressed: () => this.#banners.hide("expired"),
    });
  }

  /** @param {boolean} ending - it has less than a minute left */
  #warn(ending) {
    this.#chip.classList.toggle("ending", ending);
    if (!ending) return this.#banners.hide("ending");
    // The same sentence again is not announced again.
    const extend = { words: text("window.extend"), pressed: () => this.#extend.click() };
    return this.#banners.show("ending", text("window.ending"), may("window:write") ? extend : undefined);
  }

  /** The button that opened a dialog may be gone when it closes. */
  focus() {
    this.#buttons.find((button) => !button.hidden)?.focus();
  }

  async #read() {
    try {
      return await this.#api.get("/window/status");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null;
    }
  }

  /**
   * The seconds are for the eye: a screen reader gets the time of the end. Counted by this device, because clocks of
   * devices do not agree.
   *
   * @param {number | null} seconds
   */
  #countDown(seconds) {
    clearInterval(this.#counting);
    this.#left.textContent = "";
    this.#endMs = seconds === null ? Infinity : performance.now() + seconds * 1000;
    this.#warn(seconds !== null && seconds < ENDING_SECONDS);
    if (seconds === null) return;
    const endMs = this.#endMs;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endMs - performance.now()) / 1000));
      this.#left.textContent = duration(left);
      if (left > 0 && left < ENDING_SECONDS) this.#warn(true);
      if (left) return;
      clearInterval(this.#counting);
      // The server closes it by its own clock and then answers so.
      setTimeout(() => this.renew(), COUNT_MS);
    };
    tick();
    this.#counting = setInterval(tick, COUNT_MS);
  }
}

/** @param {WindowStatus | null} status */
function describe(status) {
  if (status?.mode !== "window_active") return textIfAny(`window.${status?.mode}`) ?? text("window.unknown");
  if (status.ttl_seconds === null) return text("window.held");
  return text("window.window_active", { time: minuteTime(Date.now() + status.ttl_seconds * 1000) });
}

/** @param {WindowStatus | null} status - of an open window: who opened it, and why */
function reasonOf(status) {
  if (status?.mode !== "window_active") return "";
  const { opened_by: name, reason } = status;
  return [name && text("window.by", { name }), reason].filter(Boolean).join(": ");
}
