/** The dialogs that open, extend and close the window. Nothing is done without a second press, here in the dialog. */

import { ApiError, showRefusal } from "./api.js";
import { text } from "./texts.js";

export class WindowDialogs {
  #api;
  #bar;
  #modules;

  /** @param {import("./window-bar.js").WindowBar} bar  @param {import("./modules.js").Modules} modules */
  constructor(api, bar, modules) {
    [this.#api, this.#bar, this.#modules] = [api, bar, modules];
    for (const button of document.querySelectorAll("[data-window]")) {
      button.addEventListener("click", () => this.#open(button.dataset.window));
    }
    this.#prepare("open", (form) => ({
      services: new FormData(form).getAll("services"),
      mode: form.elements.mode.value,
      reason: form.elements.reason.value.trim(),
      ttl_sec: Number(form.elements.minutes.value) * 60,
    }));
    this.#prepare("extend", (form) => ({ ttl_sec: Number(form.elements.minutes.value) * 60 }));
    this.#prepare("close", () => ({}));
    const { mode, minutes } = formOf("open").elements;
    for (const choice of mode) choice.addEventListener("change", () => (minutes.disabled = mode.value === "hold"));
  }

  #open(action) {
    const form = formOf(action);
    showRefusal(refusalOf(form), null);
    if (action === "open") this.#offerServices(form);
    if (action === "close") this.#name(form);
    form.closest("dialog").showModal();
  }

  #prepare(action, fields) {
    const form = formOf(action);
    const dialog = form.closest("dialog");
    form.querySelector("[data-action=cancel]").addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (submit) => {
      submit.preventDefault();
      // Not disabled meanwhile: a button that is loses the focus.
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
        // Somebody else may have been quicker, or the answer was lost on its way.
        this.#bar.refresh();
        this.#modules.refresh();
      }
    });
  }

  /** The optional modules that the server knows; those of the usual window are ticked. */
  #offerServices(form) {
    const place = form.querySelector("[data-slot=services]");
    const usual = place.dataset.usual.split(" ");
    const optional = Object.entries(this.#modules.known).filter(([, { category }]) => category === "optional");
    const names = optional.length ? optional.map(([name]) => name) : usual;
    place.replaceChildren(...names.map((name) => choice(name, usual.includes(name))));
  }

  #name(form) {
    const services = (this.#bar.status?.services ?? []).join(", ");
    form.querySelector("[data-slot=closing]").textContent = text("window.closing", { services });
  }
}

function formOf(action) {
  return document.querySelector(`#window-${action} form`);
}

function refusalOf(form) {
  return form.querySelector("[role=alert]");
}

function choice(name, checked) {
  const label = Object.assign(document.createElement("label"), { className: "chip" });
  label.append(Object.assign(document.createElement("input"), { type: "checkbox", name: "services", value: name, checked }), name);
  return label;
}
