/** The dialogs that open, extend and close the window. Nothing is done without a second press, here in the dialog. */

import { part, partOf, partsOf, slot } from "./dom.js";
import { ApiError, showRefusal } from "./requests.js";
import { needs } from "./rights.js";
import { text } from "./texts.js";

/** @typedef {"open" | "extend" | "close"} Action */

/** Refusals, and what the window has to be for them to hold. */
const HOLDS_WHILE_OPEN = new Map([["window_already_open", true], ["no_open_window", false]]);

export class WindowDialogs {
  #api;
  #bar;
  #modules;
  /** @type {ApiError | null} */
  #refused = null;

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {import("./window-bar.js").WindowBar} bar
   * @param {import("./modules.js").Modules} modules
   * @param {import("./banners.js").Banners} banners
   */
  constructor(api, bar, modules, banners) {
    this.#api = api;
    this.#bar = bar;
    this.#modules = modules;
    for (const button of partsOf(HTMLButtonElement, "[data-window]")) needs(button, "window:write", banners);
    this.#prepare("open", (form) => ({
      services: new FormData(form).getAll("services"),
      mode: new FormData(form).get("mode"),
      reason: partOf(HTMLInputElement, "[name=reason]", form).value.trim(),
      ttl_sec: secondsOf(form),
    }));
    this.#prepare("extend", (form) => ({ ttl_sec: secondsOf(form) }));
    this.#prepare("close", () => ({}));
    const form = formOf("open");
    for (const choice of partsOf(HTMLInputElement, "[name=mode]", form)) {
      choice.addEventListener("change", () => (minutesOf(form).disabled = choice.value === "hold"));
    }
  }

  /**
   * The window was read: a refusal that no longer holds goes.
   *
   * @param {import("./answers.d.ts").WindowStatus | null} status
   */
  note(status) {
    const refused = this.#refused;
    if (!refused || !status) return;
    const whileOpen = HOLDS_WHILE_OPEN.get(refused.reason);
    if (whileOpen !== undefined && whileOpen !== (status.mode === "window_active")) this.#refuse(null);
  }

  /** @param {Action} action */
  async #open(action) {
    const form = formOf(action);
    this.#refuse(null);
    if (action === "open") this.#offerServices(form);
    // Before the modules were read it is not known which of them stop.
    if (action === "close" && !Object.keys(this.#modules.known).length) await this.#modules.refresh();
    if (action === "close") this.#name(form);
    dialogOf(action).showModal();
  }

  /** @param {ApiError | null} error - one refusal at a time: one dialog is open at a time */
  #refuse(error) {
    this.#refused = error;
    for (const action of /** @type {Action[]} */ (["open", "extend", "close"])) {
      showRefusal(refusalOf(formOf(action)), error);
    }
  }

  /**
   * @param {Action} action
   * @param {(form: HTMLFormElement) => object} fields
   */
  #prepare(action, fields) {
    const form = formOf(action);
    const dialog = dialogOf(action);
    part(`[data-window=${action}]`).addEventListener("click", () => this.#open(action));
    part("[data-action=cancel]", form).addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (submit) => {
      submit.preventDefault();
      // Not disabled meanwhile: a disabled button loses the focus.
      if (form.ariaBusy === "true") return;
      form.ariaBusy = "true";
      this.#refuse(null);
      try {
        this.#bar.show(await this.#api.post(`/window/${action}`, fields(form)));
        dialog.close();
        this.#bar.focus();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.#refuse(error);
      } finally {
        form.ariaBusy = "false";
        // Another operator may have been quicker, or the answer was lost on its way.
        this.#bar.refresh();
        this.#modules.refresh();
      }
    });
  }

  /**
   * The optional modules that the server knows; those of the usual window are ticked.
   *
   * @param {HTMLFormElement} form
   */
  #offerServices(form) {
    const place = slot("services", form);
    const usual = place.dataset.usual?.split(" ") ?? [];
    const optional = Object.entries(this.#modules.known).filter(([, { category }]) => category === "optional");
    const names = optional.length ? optional.map(([name]) => name) : usual;
    place.replaceChildren(...names.map((name) => choice(name, usual.includes(name))));
  }

  /**
   * What stops with the window: its own modules, and not those of the core, which the server lists too.
   *
   * @param {HTMLFormElement} form
   */
  #name(form) {
    const { known } = this.#modules;
    const stopping = (this.#bar.status?.services ?? []).filter((name) => known[name]?.category !== "core");
    const sentence = stopping.length ? "window.closing" : "window.closing_none";
    slot("closing", form).textContent = text(sentence, { services: stopping.join(", ") });
  }
}

/** @param {Action} action */
function dialogOf(action) {
  return partOf(HTMLDialogElement, `#window-${action}`);
}

/** @param {Action} action */
function formOf(action) {
  return partOf(HTMLFormElement, "form", dialogOf(action));
}

/** @param {HTMLFormElement} form */
function refusalOf(form) {
  return part("[role=alert]", form);
}

/** @param {HTMLFormElement} form */
function minutesOf(form) {
  return partOf(HTMLInputElement, "[name=minutes]", form);
}

/** @param {HTMLFormElement} form */
function secondsOf(form) {
  return Number(minutesOf(form).value) * 60;
}

/**
 * @param {string} name
 * @param {boolean} checked
 */
function choice(name, checked) {
  const label = Object.assign(document.createElement("label"), { className: "chip" });
  const box = document.createElement("input");
  label.append(Object.assign(box, { type: "checkbox", name: "services", value: name, checked }), name);
  return label;
}
