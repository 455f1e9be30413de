/** The conversation with the modules behind the window: history, sending, and answers that come late. */

import { ApiError, newKey, showRefusal } from "./api.js";
import { shortTime } from "./clock.js";
import { text } from "./texts.js";

/** One conversation for each person, so that it is there again when the page is loaded anew. */
const SESSION_ID = "console";

export class Chat {
  #api;
  #closed;
  #panel = document.querySelector("#chat");
  #form = this.#panel.querySelector("form");
  #list = this.#panel.querySelector("ol");
  #refusal = this.#panel.querySelector("[role=alert]");
  #hint = this.#panel.querySelector("[data-slot=chat-hint]");
  /** Of the message that is being written: a repeat of it, by a double click or a lost answer, is the same message. */
  #key = newKey();
  #reading = false;
  #stale = false;
  #awaited = null;

  /** @param {() => void} closed */
  constructor(api, closed) {
    [this.#api, this.#closed] = [api, closed];
    this.#panel.querySelector("[data-action=close-chat]").addEventListener("click", () => this.close());
    this.#form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#send();
    });
    this.#form.elements.message.addEventListener("input", () => (this.#key = newKey()));
    this.#form.elements.message.addEventListener("keydown", (press) => {
      if (press.key !== "Enter" || press.shiftKey || press.isComposing) return;
      press.preventDefault();
      this.#form.requestSubmit();
    });
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  open() {
    this.#panel.hidden = false;
    this.#form.elements.message.focus();
    this.refresh();
  }

  close() {
    this.#panel.hidden = true;
    this.#closed();
  }

  /** Whether a window is open decides whether anybody answers. */
  allow(allowed) {
    this.#hint.hidden = allowed;
  }

  /** An event says that something was said, here or in another tab; the text is read from the history. */
  heard(event) {
    if (this.isOpen && (event.payload.session_id ?? SESSION_ID) === SESSION_ID) this.refresh();
  }

  async refresh() {
    this.#stale = true;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#stale) {
        this.#stale = false;
        this.#show((await this.#api.get("/chat", { session_id: SESSION_ID })).messages);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    } finally {
      this.#reading = false;
    }
  }

  async #send() {
    const { message } = this.#form.elements;
    const [words, key] = [message.value.trim(), this.#key];
    if (!words || this.#form.ariaBusy === "true") return;
    this.#form.ariaBusy = "true";
    this.#tellAwaited(null);
    try {
      const answer = await this.#api.post("/chat", { message: words, session_id: SESSION_ID }, { "Idempotency-Key": key });
      message.value = "";
      this.#key = newKey();
      if (answer.degraded) this.#tellAwaited(answer.correlation_id);
      await this.refresh();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    } finally {
      this.#form.ariaBusy = "false";
    }
  }

  /** By its correlation id, the answer that may still come late; null: none, and nothing is said about it. */
  #tellAwaited(correlationId) {
    this.#awaited = correlationId;
    showRefusal(this.#refusal, null);
    if (correlationId === null) return;
    this.#refusal.hidden = false;
    this.#refusal.textContent = text("chat.degraded");
  }

  /** What stands there already stays: the list is announced, and what is put in anew is read out again. */
  #show(messages) {
    const shown = new Map([...this.#list.children].map((item) => [item.dataset.message, item]));
    const items = messages.map((message) => shown.get(message.message_id) ?? bubble(message));
    for (const item of shown.values()) if (!items.includes(item)) item.remove();
    items.forEach((item, at) => {
      if (this.#list.children[at] !== item) this.#list.insertBefore(item, this.#list.children[at] ?? null);
    });
    const isAwaited = ({ role, correlation_id: id }) => role === "assistant" && id === this.#awaited;
    if (this.#awaited !== null && messages.some(isAwaited)) this.#tellAwaited(null);
    const last = items.at(-1);
    if (last && !shown.has(last.dataset.message)) last.scrollIntoView({ block: "nearest" });
  }
}

function bubble({ message_id: id, role, content, created_at: at }) {
  const item = document.createElement("li");
  item.dataset.message = id;
  item.dataset.role = role;
  const [who, when, words] = ["span", "time", "p"].map((tag) => document.createElement(tag));
  who.textContent = text(`chat.${role}`) ?? role;
  when.dateTime = at;
  when.textContent = shortTime(at);
  words.textContent = content;
  item.append(who, when, words);
  return item;
}
