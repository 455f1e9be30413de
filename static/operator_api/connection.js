/** The connection in words: its state, its way, the wait for the next attempt, and the notice when it has ended. */

import { text } from "./texts.js";

const COUNT_MS = 250;
const slot = (name) => document.querySelector(`[data-slot=${name}]`);

export class ConnectionStatus {
  #status = document.querySelector(".status");
  #word = slot("state");
  #detail = slot("state-detail");
  #notice = slot("notice");
  #banners;
  #countdown = null;

  /**
   * @param {import("./banners.js").Banners} banners
   * @param {() => void} restart - called when the reader wants to try again after the end
   */
  constructor(banners, restart) {
    this.#banners = banners;
    document.querySelector("[data-action=restart]").addEventListener("click", restart);
  }

  /** @param {import("../events/event-client.js").StateChange} change */
  show({ state, seconds, reason, transport }) {
    clearInterval(this.#countdown);
    this.#status.dataset.state = state;
    this.#word.textContent = text(`state.${state}`);
    this.#detail.textContent = this.#describe(state, transport);
    this.#notice.hidden = state !== "ended";
    if (state === "reconnecting") this.#countDown(seconds);
    if (state === "ended") slot("notice-text").textContent = text(`ended.${reason}`) ?? text("ended.other", { reason });
    this.#warn(state, reason);
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
    const endMs = Date.now() + seconds * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endMs - Date.now()) / 1000));
      this.#detail.textContent = text("detail.reconnecting", { n: left });
    };
    tick();
    this.#countdown = setInterval(tick, COUNT_MS);
  }
}
