/** The connection in words: its state, its way, the wait for the next attempt, and the notice when it has ended. */

import { text } from "./texts.js";

/** After these, what the page shows belongs to a session that is over. */
const SESSION_OVER = new Set(["revoked", "expired", "missing_token", "main_auth_failed", "replaced"]);
/** After these, the page itself is of no more use. */
const PAGE_OVER = new Set(["replaced", "csrf_failed"]);

const COUNT_MS = 250;
const slot = (name) => document.querySelector(`[data-slot=${name}]`);

export class ConnectionStatus {
  #status = document.querySelector(".status");
  #word = slot("state");
  #detail = slot("state-detail");
  #notice = slot("notice");
  #signIn = document.querySelector("[data-slot=notice] a");
  #main = document.querySelector("main");
  #banners;
  #reason = null;
  #countdown = null;

  /**
   * @param {import("./banners.js").Banners} banners
   * @param {() => void} restart - called when the reader wants to try again after the end
   */
  constructor(banners, restart) {
    this.#banners = banners;
    document.querySelector("[data-action=restart]").addEventListener("click", () => {
      if (PAGE_OVER.has(this.#reason)) location.reload();
      else restart();
    });
  }

  /** @param {import("../events/event-client.js").StateChange} change */
  show({ state, seconds, reason, transport, correlationId }) {
    clearInterval(this.#countdown);
    this.#reason = reason ?? null;
    this.#status.dataset.state = state;
    const word = text(`state.${state}`);
    // Said once: the word is announced.
    if (this.#word.textContent !== word) this.#word.textContent = word;
    this.#detail.textContent = this.#describe(state, transport);
    this.#notice.hidden = state !== "ended";
    this.#main.hidden = state === "ended" && SESSION_OVER.has(reason);
    if (state === "reconnecting") this.#countDown(seconds);
    if (state === "ended") this.#explain(reason, correlationId);
    this.#warn(state, reason);
  }

  #explain(reason, correlationId) {
    const id = correlationId ? [" ", Object.assign(document.createElement("code"), { textContent: correlationId })] : [];
    slot("notice-text").replaceChildren(text(`ended.${reason}`) ?? text("ended.other", { reason }), ...id);
    // Back to what was looked at, filters and all.
    this.#signIn.search = new URLSearchParams({ next: location.pathname + location.search });
  }

  #describe(state, transport) {
    if (state === "live" && transport === "shared") return text("detail.shared");
    return text(`detail.${state}`) ?? "";
  }

  /** What is more than a word: it stays until events arrive again. */
  #warn(state, reason) {
    if (state === "live" || state === "ended") {
      for (const name of ["draining", "slow_consumer", "polling"]) this.#banners.hide(name);
    } else if (state === "polling") {
      this.#banners.show("polling", text("banner.polling"));
    } else if (reason === "draining" || reason === "slow_consumer") {
      this.#banners.show(reason, text(`banner.${reason}`));
    }
  }

  /** Only the word is announced to those who listen; the seconds are for those who look. */
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
