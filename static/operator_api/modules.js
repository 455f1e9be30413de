/** The modules and their state, as a grid of buttons: one press shows what a module has said. */

import { ApiError, showRefusal } from "./api.js";
import { longTime } from "./clock.js";
import { Pace } from "./pace.js";
import { text } from "./texts.js";

/** A module that falls silent makes no event. */
const REFRESH_MS = 30_000;
const KNOWN_STATES = new Set(["UP", "DOWN", "OFF_BY_POLICY"]);

export class Modules {
  #api;
  #chosen;
  #grid = document.querySelector("[data-slot=modules]");
  #refusal = document.querySelector("[data-slot=modules-refusal]");
  #pace = new Pace(REFRESH_MS, () => this.refresh());
  #shown = "";
  /** By name, as the server told them; empty before it did. */
  known = {};

  /** @param {(name: string) => void} chosen */
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

  /** Reads again: now, or once the page is looked at. */
  renew() {
    this.#pace.soon();
  }

  async refresh() {
    try {
      const { modules } = await this.#api.get("/modules");
      this.known = modules;
      showRefusal(this.#refusal, null);
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    } finally {
      this.#pace.next();
    }
  }

  #show() {
    // Buttons that are replaced lose the focus; nothing new, nothing replaced.
    const now = JSON.stringify(this.known);
    if (now === this.#shown) return;
    this.#shown = now;
    const focused = document.activeElement?.dataset.module;
    this.#grid.replaceChildren(...Object.entries(this.known).map(([name, module]) => this.#tile(name, module)));
    if (focused) this.#grid.querySelector(`[data-module="${CSS.escape(focused)}"]`)?.focus();
  }

  #tile(name, { status, reason, last_seen: seen }) {
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
    word.textContent = text(`module.${state}`);
    word.className = "state";
    button.title = [reason, seen && text("module.seen", { time: longTime(seen) })].filter(Boolean).join(" · ");
    button.append(mark, label, word);
    button.addEventListener("click", () => this.#chosen(name));
    item.append(button);
    return item;
  }
}
