/** The conversation with the modules behind the window: history, sending, and answers that come late. */

import { part, partOf, slot } from "./dom.js";
import { may } from "./rights.js";
import { ApiError, newKey, showRefusal } from "./requests.js";
import { text, textIfAny } from "./texts.js";
import { shortTime } from "./times.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { ChatMessage } from "./answers.d.ts"
 */

/** One conversation for each person, so that it is there again when the page is loaded anew. */
const SESSION_ID = "console";
/** Stored by a process that does not know who reads it (operator_api/chat/responder.py). */
const NO_ANSWER = "No answer came. Your message is stored; send it again if it still matters.";

export class Chat {
  #api;
  #closed;
  #panel = part("#chat");
  #form = partOf(HTMLFormElement, "form", this.#panel);
  #message = partOf(HTMLTextAreaElement, "[name=message]", this.#form);
  #list = part("ol", this.#panel);
  #refusal = part("[role=alert]", this.#panel);
  #hint = slot("chat-hint");
  /** Of the message that is being written: a repeat of it, by a double click or a lost answer, is the same message. */
  #key = newKey();
  /**
   * The messages that are shown, by their ids.
   *
   * @type {Map<string, HTMLLIElement>}
   */
  #items = new Map();
  #reading = false;
  #stale = false;
  /** @type {string | null} */
  #awaited = null;
  #mayWrite = may("chat:write");
  /**
   * What the refusal that is shown is about: it goes when that works again.
   *
   * @type {"" | "reading" | "window" | "message"}
   */
  #refused = "";

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {() => void} closed
   */
  constructor(api, closed) {
    this.#api = api;
    this.#closed = closed;
    part("[data-action=close-chat]", this.#panel).addEventListener("click", () => this.close());
    this.#form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#send();
    });
    if (!this.#mayWrite) this.#switchOff();
    this.#message.addEventListener("input", () => {
      this.#key = newKey();
      if (this.#refused === "message") this.#refuse(null);
    });
    this.#message.addEventListener("keydown", (press) => {
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
    this.#message.focus();
    this.refresh();
  }

  close() {
    this.#panel.hidden = true;
    this.#closed();
  }

  /**
   * Only with an open window there is an answer.
   *
   * @param {boolean} allowed
   */
  allow(allowed) {
    if (this.#mayWrite) this.#hint.hidden = allowed;
    if (allowed && this.#refused === "window") this.#refuse(null);
  }

  /** An account without the right reads, and is told why it does not write. */
  #switchOff() {
    const send = part("[type=submit]", this.#form);
    for (const element of [send, this.#message]) {
      element.ariaDisabled = "true";
      element.title = text("refused.insufficient_scope");
    }
    this.#message.readOnly = true;
    this.#hint.textContent = text("refused.insufficient_scope");
    this.#hint.hidden = false;
  }

  /**
   * @param {ApiError | null} error
   * @param {"reading" | "message"} [about]
   */
  #refuse(error, about = "message") {
    this.#refused = error?.reason === "window_closed" ? "window" : error ? about : "";
    showRefusal(this.#refusal, error);
  }

  /**
   * An event about a new message, of this tab or another one; its text is read from the history.
   *
   * @param {OperatorEvent} event
   */
  receive(event) {
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
      if (this.#refused === "reading") this.#refuse(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refuse(error, "reading");
    } finally {
      this.#reading = false;
    }
  }

  async #send() {
    const message = this.#message.value.trim();
    if (!message || this.#form.ariaBusy === "true" || !this.#mayWrite) return;
    this.#form.ariaBusy = "true";
    this.#showAwaited(null);
    try {
      const headers = { "Idempotency-Key": this.#key };
      const answer = await this.#api.post("/chat", { message, session_id: SESSION_ID }, headers);
      this.#message.value = "";
      this.#key = newKey();
      if (answer.degraded) this.#showAwaited(answer.correlation_id);
      await this.refresh();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refuse(error);
    } finally {
      this.#form.ariaBusy = "false";
    }
  }

  /**
   * Shows that an answer may still come late.
   *
   * @param {string | null} correlationId - of that answer; null: none is awaited
   */
  #showAwaited(correlationId) {
    this.#awaited = correlationId;
    this.#refuse(null);
    if (correlationId === null) return;
    this.#refusal.hidden = false;
    this.#refusal.textContent = text("chat.degraded");
  }

  /**
   * Messages that are shown already stay in place: a screen reader would read out again what is put in anew.
   *
   * @param {ChatMessage[]} messages
   */
  #show(messages) {
    const shown = this.#items;
    const items = messages.map((message) => shown.get(message.message_id) ?? bubble(message));
    for (const item of shown.values()) if (!items.includes(item)) item.remove();
    for (const [at, item] of items.entries()) {
      if (this.#list.children[at] !== item) this.#list.insertBefore(item, this.#list.children[at] ?? null);
    }
    const awaited = messages.some(({ role, correlation_id: id }) => role === "assistant" && id === this.#awaited);
    if (this.#awaited !== null && awaited) this.#showAwaited(null);
    this.#items = new Map(messages.map(({ message_id: id }, at) => [id, items[at]]));
    const last = messages.at(-1);
    if (last && !shown.has(last.message_id)) items.at(-1)?.scrollIntoView({ block: "nearest" });
  }
}

/** @param {ChatMessage} message */
function bubble({ message_id: id, role, content, created_at: at }) {
  const item = document.createElement("li");
  item.dataset.message = id;
  item.dataset.role = role;
  const who = document.createElement("span");
  const when = document.createElement("time");
  const words = document.createElement("p");
  who.textContent = textIfAny(`chat.${role}`) ?? role;
  when.dateTime = at;
  when.textContent = shortTime(at);
  words.textContent = role === "system" && content === NO_ANSWER ? text("chat.no_answer") : content;
  item.append(who, when, words);
  return item;
}
