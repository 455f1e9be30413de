/** Server-Sent Events by fetch, for programs whose runtime has no EventSource: Node, Bun. It opens a stream once. */

/**
 * @typedef {(message: { data: string, lastEventId: string }) => void} Listener
 */

/** What an endless line may cost; the server's frames have 70 KB at most. */
const FRAME_LIMIT_CHARACTERS = 1_000_000;

/** As much of EventSource as a stream needs: listeners by name of event, "error" at the end, close(). */
export class FetchSource {
  #stop = new AbortController();
  /** @type {Map<string, Listener[]>} */
  #listeners = new Map();
  #lastEventId = "";

  /** @param {string} url */
  constructor(url) {
    // After the caller has added its listeners.
    queueMicrotask(() => this.#read(url));
  }

  /**
   * @param {string} name
   * @param {Listener} listener
   */
  addEventListener(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  close() {
    this.#stop.abort();
  }

  /** @param {string} url */
  async #read(url) {
    try {
      const headers = { Accept: "text/event-stream" };
      const { ok, body } = await fetch(url, { headers, cache: "no-store", signal: this.#stop.signal });
      if (ok && body) for await (const frame of framesOf(body)) this.#dispatch(frame);
    } catch {
      // Cut off, refused or closed: each is the end.
    }
    if (!this.#stop.signal.aborted) this.#tell("error", "");
  }

  /** @param {string} frame */
  #dispatch(frame) {
    let name = "message";
    const data = [];
    for (const line of frame.split("\n")) {
      const [, field = line, value = ""] = /^([^:]*): ?(.*)$/s.exec(line) ?? [];
      if (field === "event") name = value;
      if (field === "data") data.push(value);
      if (field === "id" && !value.includes("\0")) this.#lastEventId = value;
    }
    if (data.length) this.#tell(name, data.join("\n"));
  }

  /**
   * @param {string} name
   * @param {string} data
   */
  #tell(name, data) {
    const message = { data, lastEventId: this.#lastEventId };
    for (const listener of this.#listeners.get(name) ?? []) {
      if (this.#stop.signal.aborted) return;
      listener(message);
    }
  }
}

/**
 * The text between empty lines, whose lines end with "\n". What comes after the last empty line is no frame.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
async function* framesOf(body) {
  const [reader, decoder] = [body.getReader(), new TextDecoder()];
  let [begun, wasReturn] = ["", false];
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    let text = decoder.decode(read.value, { stream: true });
    // The second half of a line's end.
    if (wasReturn && text.startsWith("\n")) text = text.slice(1);
    else if (!text) continue;
    wasReturn = text.endsWith("\r");
    const frames = (begun + text.replace(/\r\n?/g, "\n")).split("\n\n");
    begun = frames.pop() ?? "";
    if (begun.length > FRAME_LIMIT_CHARACTERS) throw new Error("a frame is too long");
    yield* frames;
  }
}
