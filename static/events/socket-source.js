/** A stream over WebSocket, for networks that let no Server-Sent Events through. It opens a stream once. */

import { parse } from "./exact.js";

/**
 * @typedef {{ data: any, lastEventId: string }} Message - `data` is read already; null where it is no JSON
 */

/** As much of EventSource as a stream needs: listeners by name of event, "error" at the end, close(). */
export class SocketSource {
  #socket;
  /** @type {Map<string, ((message: Message) => void)[]>} */
  #listeners = new Map();
  #lastEventId = "";
  #isClosed = false;

  /** @param {string} url - of an http address, which may be relative to the page */
  constructor(url) {
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address);
    this.#socket.addEventListener("message", ({ data }) => this.#dispatch(data));
    // What was refused, and what has ended, looks the same here; after its `stream-end` a stream has been closed.
    this.#socket.addEventListener("close", () => this.#tell("error", null));
  }

  /**
   * @param {string} name
   * @param {(message: Message) => void} listener
   */
  addEventListener(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  close() {
    this.#isClosed = true;
    this.#socket.close();
  }

  /** @param {string} text */
  #dispatch(text) {
    let message;
    try {
      message = parse(text);
    } catch {
      message = {};
    }
    const { id = null, event = null, data = null } = message ?? {};
    if (id !== null) this.#lastEventId = id;
    this.#tell(event ?? "message", data);
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  #tell(name, data) {
    for (const listener of this.#listeners.get(name) ?? []) {
      if (this.#isClosed) return;
      listener({ data, lastEventId: this.#lastEventId });
    }
  }
}
