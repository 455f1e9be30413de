/** The state of the connection in words: the line at the top, its countdown, and the notice when it has ended. */

import { text } from "./texts.js";

const slot = (name) => document.querySelector(`[data-slot=${name}]`);

export class ConnectionStatus {
  #status = document.querySelector(".status");
  #word = slot("state");
  #detail = slot("state-detail");
  #notice = slot("notice");
  #countdown = null;

  /** @param {() => void} restart - called when the reader wants to try again after the end */
  constructor(restart) {
    document.querySelector("[data-action=restart]").addEventListener("click", restart);
  }

  /** @param {import("../events/event-client.js").StateChange} change */
  show({ state, seconds, reason }) {
    clearInterval(this.#countdown);
    this.#status.dataset.state = state;
    this.#word.textContent = text(`state.${state}`);
    this.#detail.textContent = text(`detail.${state}`, { n: seconds }) ?? "";
    this.#notice.hidden = state !== "ended";
    if (state === "reconnecting") this.#countDown(seconds);
    if (state === "ended") slot("notice-text").textContent = text(`ended.${reason}`) ?? text("ended.other", { reason });
  }

  /** Only the word is announced to those who listen; the seconds are for those who look. */
  #countDown(seconds) {
    const endMs = Date.now() + seconds * 1000;
    this.#countdown = setInterval(() => {
      const left = Math.max(0, Math.ceil((endMs - Date.now()) / 1000));
      this.#detail.textContent = text("detail.reconnecting", { n: left });
    }, 250);
  }
}
