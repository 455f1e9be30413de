/** The dialogs that open, extend and close the window. Nothing is done without a second press, here in the dialog. */

import { part, partOf, partsOf, slot } from "./dom.js";
import { ApiError, showRefusal } from "./requests.js";
import { text } from "./texts.js";

/** @typedef {"open" | "extend" | "close"} Action */

export class WindowDialogs {
  #api;
  #bar;
  #modules;

  /**
   * @param {import("./requests.js").ConsoleApi} api
   * @param {import("./window-bar.js").WindowBar} bar
   * @param {import("./modules.js").Modules} modules
   */
  constructor(api, bar, modules) {
    this.#api = api;
    this.#bar = bar;
    this.#modules = modules;
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

  /** @param {Action} action */
  #open(action) {
    const form = formOf(action);
    showRefusal(refusalOf(form), null);
    if (action === "open") this.#offerServices(form);
    if (action === "close") this.#name(form);
    dialogOf(action).showModal();
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
      showRefusal(refusalOf(form), null);
      try {
        this.#bar.show(await this.#api.post(`/window/${action}`, fields(form)));
        dialog.close();
        this.#bar.focus();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        showRefusal(refusalOf(form), error);
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

  /** @param {HTMLFormElement} form */
  #name(form) {
    const services = (this.#bar.status?.services ?? []).join(", ");
    slot("closing", form).textContent = text("window.closing", { services });
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
