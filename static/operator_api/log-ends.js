/** Says where the log begins or ends, when a reader jumps to a moment before or after all that is in it. */

import { slot } from "./dom.js";
import { ApiError } from "./requests.js";
import { text } from "./texts.js";
import { momentWords } from "./times.js";

export class LogEnds {
  #api;
  #said = slot("jump-said");
  #asked = 0;

  /** @param {Pick<import("./requests.js").ConsoleApi, "get">} api */
  constructor(api) {
    this.#api = api;
  }

  /** @param {string} at - an ISO time, or empty */
  async show(at) {
    const asked = (this.#asked += 1);
    this.#said.textContent = "";
    if (!at) return;
    try {
      // One event before the moment and one after it, whatever is asked for otherwise.
      const { events } = await this.#api.get("/events", { at, limit: 2 });
      const times = events.map((event) => Date.parse(event.created_at));
      if (asked !== this.#asked || !times.length) return;
      const moment = Date.parse(at);
      if (times.every((time) => time > moment)) this.#say("jump.begins", times[0]);
      // The field has whole seconds.
      else if (times.every((time) => time + 1_000 <= moment)) this.#say("jump.ends", times[times.length - 1]);
    } catch (error) {
      // The feed says that the log could not be read.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /**
   * @param {string} sentence
   * @param {number} time
   */
  #say(sentence, time) {
    this.#said.textContent = text(sentence, { time: momentWords(time) });
  }
}
