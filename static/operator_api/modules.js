/** The modules and their state, as a grid of buttons: one press shows the events of a module. */

import { slot } from "./dom.js";
import { Pace } from "./pace.js";
import { afterPress } from "./press.js";
import { ApiError, showRefusal } from "./requests.js";
import { text } from "./texts.js";
import { longTime } from "./times.js";

/** @import { Module } from "./answers.d.ts" */

/** A module that falls silent makes no event. */
const REFRESH_MS = 30_000;
const KNOWN_STATES = new Set(["UP", "DOWN", "OFF_BY_POLICY"]);

/**
 * Each installation knows the names of the usual modules. Those of which there is no sign here are none of this system.
 *
 * @param {Module} module
 */
function isHere({ status, category, last_seen: seen, configured }) {
  return category !== "optional" || configured || seen !== null || status !== "OFF_BY_POLICY";
}

/** @param {Module} module */
function wordsOf({ status, reason, publishing }) {
  if (reason === "in_process") return text("module.in_process");
  if (status === "OFF_BY_POLICY" && publishing) return text("module.publishing");
  return text(`module.${KNOWN_STATES.has(status) ? status : "unknown"}`);
}

export class Modules {
  #api;
  #chosen;
  #grid = slot("modules");
  #refusal = slot("modules-refusal");
  #pace = new Pace(REFRESH_MS, () => this.refresh());
  #shown = "";
  #render = () => this.#draw();
  /**
   * By name, as the server listed them; empty before its first answer.
   *
   * @type {Record<string, Module>}
   */
  known = {};

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {(name: string) => void} chosen
   */
  constructor(api, chosen) {
    this.#api = api;
    this.#chosen = chosen;
  }

  start() {
    this.#pace.start();
  }

  stop() {
    this.#pace.stop();
  }

  /** Reads again: now, or once the page is visible. */
  renew() {
    this.#pace.soon();
  }

  async refresh() {
    try {
      const { modules } = await this.#api.get("/modules");
      this.known = modules;
      showRefusal(this.#refusal, null);
      afterPress(this.#render);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    } finally {
      this.#pace.next();
    }
  }

  #draw() {
    // Buttons that are replaced lose the focus, so they stay while nothing has changed.
    const now = JSON.stringify(this.known);
    if (now === this.#shown) return;
    this.#shown = now;
    const focused = document.activeElement?.getAttribute("data-module");
    const here = Object.entries(this.known).filter(([, module]) => isHere(module));
    this.#grid.replaceChildren(...here.map(([name, module]) => this.#tile(name, module)));
    if (!focused) return;
    const again = this.#grid.querySelector(`[data-module="${CSS.escape(focused)}"]`);
    if (again instanceof HTMLElement) again.focus();
  }

  /**
   * @param {string} name
   * @param {Module} module
   */
  #tile(name, module) {
    const { status, reason, last_seen: seen } = module;
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "module-tile" });
    const state = KNOWN_STATES.has(status) ? status : "unknown";
    button.dataset.state = state;
    button.dataset.module = name;
    const [mark, label, word] = ["span", "span", "span"].map((tag) => document.createElement(tag));
    mark.className = "mark";
    mark.ariaHidden = "true";
    label.textContent = name;
    label.className = "name";
    word.textContent = wordsOf(module);
    word.className = "state";
    button.title = [reason, seen && text("module.seen", { time: longTime(seen) })].filter(Boolean).join(" · ");
    button.append(mark, label, word);
    button.addEventListener("click", () => this.#chosen(name));
    item.append(button);
    return item;
  }
}
