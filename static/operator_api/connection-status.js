/** The connection in words: its state, its way, the wait for the next attempt, and the notice when it has ended. */

import { behind, part, partOf, slot } from "./dom.js";
import { text, textIfAny } from "./texts.js";

/**
 * @import { StateChange } from "../events/event-client.d.ts"
 *
 * @typedef {Partial<StateChange> & { state: StateChange["state"] }} Shown
 */

/** After these, what the page shows belongs to a session that is over. */
const SESSION_OVER = new Set(["revoked", "expired", "missing_token", "main_auth_failed", "replaced"]);
/** After these, the page itself is of no more use. */
const PAGE_OVER = new Set(["replaced", "csrf_failed"]);

const COUNT_MS = 250;

export class ConnectionStatus {
  #status = part(".status");
  #word = slot("state");
  #detail = slot("state-detail");
  #notice = slot("notice");
  #signIn = partOf(HTMLAnchorElement, "[data-slot=notice] a");
  #main = part("main");
  /** What acts with the session. */
  #acting = [part(".window"), part("[data-action=chat]"), part(".account [type=submit]")];
  #retry = part("[data-action=reconnect]");
  #banners;
  #reason = "";
  /** @type {number | undefined} */
  #countdown;

  /**
   * @param {import("./banners.js").Banners} banners
   * @param {object} client
   * @param {() => void} client.restart - called when the reader wants to try again after the end
   * @param {() => void} client.retry - called when the reader does not want to wait for the next attempt
   */
  constructor(banners, { restart, retry }) {
    this.#banners = banners;
    this.#retry.addEventListener("click", retry);
    part("[data-action=restart]").addEventListener("click", () => {
      if (PAGE_OVER.has(this.#reason)) location.reload();
      else restart();
    });
  }

  /** @param {Shown} change */
  show({ state, seconds = 0, reason = "", transport = null, correlationId }) {
    clearInterval(this.#countdown);
    this.#reason = reason;
    this.#status.dataset.state = state;
    const word = text(`state.${state}`);
    // Screen readers read out each change of this word, so the same word is not set again.
    if (this.#word.textContent !== word) this.#word.textContent = word;
    this.#detail.textContent = this.#describe(state, transport);
    this.#notice.hidden = state !== "ended";
    const over = state === "ended" && SESSION_OVER.has(reason);
    for (const dead of [this.#main, ...this.#acting]) dead.hidden = over;
    this.#offerRetry(state);
    if (state === "reconnecting") this.#countDown(seconds);
    if (state === "ended") this.#explain(reason, correlationId);
    this.#warn(state, reason);
  }

  /**
   * It stays during an attempt: a button that comes and goes with each could not be pressed.
   *
   * @param {Shown["state"]} state
   */
  #offerRetry(state) {
    if (state === "connecting") return;
    const had = document.activeElement === this.#retry;
    this.#retry.hidden = state !== "reconnecting";
    if (had && this.#retry.hidden) part("#feed").focus({ preventScroll: true });
  }

  /**
   * @param {string} reason
   * @param {string | undefined} correlationId
   */
  #explain(reason, correlationId) {
    const sentence = textIfAny(`ended.${reason}`) ?? text("ended.other", { reason });
    slot("notice-text").replaceChildren(sentence, ...behind(correlationId));
    // After signing in, the reader comes back to the same view, with the same filters.
    this.#signIn.search = String(new URLSearchParams({ next: location.pathname + location.search }));
  }

  /**
   * @param {Shown["state"]} state
   * @param {StateChange["transport"]} transport
   */
  #describe(state, transport) {
    if (state === "live" && transport === "shared") return text("detail.shared");
    return textIfAny(`detail.${state}`) ?? "";
  }

  /**
   * A state that needs a sentence: it stays until events arrive again.
   *
   * @param {Shown["state"]} state
   * @param {string} reason
   */
  #warn(state, reason) {
    if (state === "live" || state === "ended") {
      for (const name of ["draining", "slow_consumer", "polling"]) this.#banners.hide(name);
    } else if (state === "polling") {
      this.#banners.show("polling", text("banner.polling"));
    } else if (reason === "draining" || reason === "slow_consumer") {
      this.#banners.show(reason, text(`banner.${reason}`));
    }
  }

  /**
   * Screen readers read out only the state. The seconds are hidden from them, or they would talk every second.
   *
   * @param {number} seconds
   */
  #countDown(seconds) {
    const endMs = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endMs - performance.now()) / 1000));
      this.#detail.textContent = text("detail.reconnecting", { n: left });
    };
    tick();
    this.#countdown = setInterval(tick, COUNT_MS);
  }
}
