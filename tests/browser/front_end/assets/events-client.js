/** Events through tickets: a new one for every connection, before it runs out and after every error. */

const RETRY_FLOOR_MS = 500;
const RETRY_CEILING_MS = 10_000;
const REFRESH_BEFORE_S = 5;

export class EventsClient {
  #token;
  #onevent;
  #onstate;
  #source = null;
  #timer = null;
  #failures = 0;

  constructor(token, onevent, onstate) {
    this.#token = token;
    this.#onevent = onevent;
    this.#onstate = onstate;
  }

  async connect() {
    try {
      const ticket = await this.#ticket();
      this.#open(ticket.sse_token);
      this.#again(Math.max(1, ticket.ttl_sec - REFRESH_BEFORE_S) * 1000);
    } catch (error) {
      this.#retry(error.message);
    }
  }

  disconnect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  async #ticket() {
    const response = await fetch("/operator/api/events/sse-token", {
      method: "POST",
      headers: { "X-VX11-Token": this.#token, "Content-Type": "application/json" },
    });
    if (!response.ok) throw new Error(`${response.status} ${(await response.json()).detail}`);
    return response.json();
  }

  #open(text) {
    this.#source = new EventSource(`/operator/api/events/stream?token=${encodeURIComponent(text)}&follow=true`);
    this.#source.onmessage = (message) => {
      const data = JSON.parse(message.data);
      if (data.type !== "connected") return this.#onevent(data);
      this.#failures = 0;
      this.#onstate("connected");
    };
    this.#source.onerror = () => this.#retry("stream lost");
  }

  #retry(reason) {
    this.disconnect();
    this.#onstate(`waiting: ${reason}`);
    this.#again(Math.min(RETRY_FLOOR_MS * 2 ** this.#failures++, RETRY_CEILING_MS));
  }

  #again(afterMs) {
    this.#timer = setTimeout(() => {
      this.disconnect();
      this.connect();
    }, afterMs);
  }
}
