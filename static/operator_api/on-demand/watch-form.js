/** The form of a watch: its fields, what it would have done, and what the server does not accept, beside its field. */

import { element, part, partOf, partsOf, slot } from "../dom.js";
import { translated } from "../mistakes.js";
import { ApiError, showRefusal } from "../requests.js";
import { text } from "../texts.js";
import { WatchPreview } from "./watch-preview.js";

/** @import { Condition, RefusalBody, Watch } from "../answers.d.ts" */

/** After the last letter; a preview costs what a search costs. */
const TYPING_MS = 500;
const UNITS_SECONDS = [86_400, 3_600, 60, 1];
/** What the form begins with, in seconds. */
const [TIME_SECONDS, COOLDOWN_SECONDS] = [300, 300];

export class WatchForm {
  #api;
  #saved;
  #dialog = partOf(HTMLDialogElement, "#watch");
  #form = partOf(HTMLFormElement, "form", this.#dialog);
  #refusal = part("[role=alert]", this.#form);
  #targets = slot("watch-targets");
  #preview;
  /** The watch that is changed; 0 for a new one. */
  #id = 0;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {import("../requests.js").ConsoleApi} api
   * @param {(watch: Watch, isNew: boolean) => void} saved
   */
  constructor(api, saved) {
    this.#api = api;
    this.#saved = saved;
    this.#preview = new WatchPreview(api, (errors) => this.#showWrong(errors));
    part("[data-action=cancel]", this.#form).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => clearTimeout(this.#timer));
    this.#form.addEventListener("input", ({ target }) => {
      // A name and who is notified do not change what it would have done.
      const name = target instanceof HTMLElement ? target.getAttribute("name") : null;
      if (name !== "name" && name !== "notify" && name !== "shared") this.#trySoon(TYPING_MS);
      this.#showKind();
    });
    this.#form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#save();
    });
  }

  /**
   * @param {Watch | null} watch - to be changed; null: a new one
   * @param {string} query - of a new one
   */
  open(watch, query) {
    this.#id = watch?.id ?? 0;
    part("h2", this.#dialog).textContent = text(watch ? "watch.edit_title" : "watch.new_title");
    this.#form.reset();
    this.#fill(watch, query);
    showRefusal(this.#refusal, null);
    this.#showWrong({});
    this.#showKind();
    this.#dialog.showModal();
    this.#field("name").focus();
    this.#offerTargets(watch?.notify ?? []);
    this.#trySoon(0);
  }

  /**
   * @param {Watch | null} watch
   * @param {string} query
   */
  #fill(watch, query) {
    const condition = watch?.condition ?? { kind: "count", at_least: 3, within_sec: TIME_SECONDS };
    this.#set("name", watch?.name ?? "");
    this.#set("query", watch?.query ?? query);
    this.#set("kind", condition.kind);
    this.#set("group_by", watch?.group_by ?? "");
    this.#setTime("cooldown", watch?.cooldown_sec ?? COOLDOWN_SECONDS);
    partOf(HTMLInputElement, "[name=shared]", this.#form).checked = watch?.shared ?? false;
    if (condition.kind === "count") {
      this.#set("at_least", String(condition.at_least));
      this.#setTime("time", condition.within_sec);
    } else if (condition.kind === "absence") this.#setTime("time", condition.for_sec);
    else if (condition.kind === "new_value") {
      this.#set("field", condition.field);
      this.#set("days", String(condition.days));
    }
  }

  /** @param {string[]} chosen */
  async #offerTargets(chosen) {
    const none = slot("watch-no-targets");
    try {
      const { targets } = await this.#api.get("/watches/targets");
      none.hidden = targets.length > 0;
      this.#targets.replaceChildren(...targets.map(({ name, failing }) => {
        const label = element("label", { className: "chip" });
        const box = element("input", { type: "checkbox", name: "notify", value: name, checked: chosen.includes(name) });
        label.append(box, name, failing ? ` ${text("watch.failing")}` : "");
        return label;
      }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
      // What was chosen stays chosen.
      this.#targets.replaceChildren(...chosen.map((name) =>
        element("input", { type: "checkbox", name: "notify", value: name, checked: true, hidden: true })
      ));
    }
  }

  /** Only what belongs to the kind of condition is asked for. */
  #showKind() {
    const kind = this.#value("kind");
    for (const place of partsOf(HTMLElement, "[data-kinds]", this.#form)) {
      const isAsked = (place.dataset.kinds ?? "").split(" ").includes(kind);
      place.hidden = !isAsked;
      for (const field of partsOf(HTMLInputElement, "input", place)) field.disabled = !isAsked;
    }
    // Of two such places inside of each other, the outer one counts.
    for (const field of partsOf(HTMLInputElement, "input", this.#form)) {
      if (field.closest("[data-kinds][hidden]")) field.disabled = true;
    }
  }

  /** @param {number} delayMs */
  #trySoon(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isWhole = [...this.#form.elements].every((field) =>
        field.getAttribute("name") === "name" || !("validity" in field) || /** @type {HTMLInputElement} */ (field).validity.valid
      );
      if (isWhole) this.#preview.show({ ...this.#definition(), name: "preview", notify: [] });
    }, delayMs);
  }

  async #save() {
    // A second press means the same watch.
    if (this.#form.ariaBusy === "true") return;
    this.#form.ariaBusy = "true";
    try {
      const isNew = !this.#id;
      const watch = isNew
        ? await this.#api.post("/watches", this.#definition())
        : await this.#api.post(`/watches/${this.#id}`, this.#definition(), {}, "PATCH");
      this.#dialog.close();
      this.#saved(watch, isNew);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const shown = this.#showWrong(error.body.errors ?? {});
      showRefusal(this.#refusal, shown ? null : error);
      // The first field of which something is wrong.
      const wrong = this.#form.querySelector("[aria-invalid=true]");
      if (wrong instanceof HTMLElement) wrong.focus();
    } finally {
      this.#form.ariaBusy = "false";
    }
  }

  #definition() {
    return {
      name: this.#value("name").trim(),
      query: this.#value("query").trim(),
      condition: this.#condition(),
      group_by: this.#value("kind") === "new_value" ? null : this.#value("group_by").trim() || null,
      cooldown_sec: this.#seconds("cooldown"),
      notify: partsOf(HTMLInputElement, "[name=notify]:checked", this.#form).map(({ value }) => value),
      shared: partOf(HTMLInputElement, "[name=shared]", this.#form).checked,
    };
  }

  /** @returns {Condition} */
  #condition() {
    const kind = this.#value("kind");
    if (kind === "count") {
      return { kind, at_least: Number(this.#value("at_least")), within_sec: this.#seconds("time") };
    }
    if (kind === "absence") return { kind, for_sec: this.#seconds("time") };
    if (kind === "new_value") return { kind, field: this.#value("field").trim(), days: Number(this.#value("days")) };
    return { kind: "every" };
  }

  /**
   * Shows what is wrong beside each field; whether each of them has its place in the form.
   *
   * @param {NonNullable<RefusalBody["errors"]>} errors
   */
  #showWrong(errors) {
    const left = new Set(Object.keys(errors));
    for (const place of partsOf(HTMLElement, "[data-wrong]", this.#form)) {
      const names = (place.dataset.wrong ?? "").split(" ").filter((name) => left.delete(name));
      const problems = names.flatMap((name) => [errors[name]].flat());
      const words = problems.map((each) => translated(typeof each === "string" ? each : each.message)).join(" ");
      if (place.textContent !== words) place.textContent = words;
      place.hidden = !words;
      const described = place.id ? this.#form.querySelectorAll(`[aria-describedby="${place.id}"]`) : [];
      for (const field of described) field.ariaInvalid = String(Boolean(words));
    }
    return left.size === 0 && Object.keys(errors).length > 0;
  }

  /** @param {string} name */
  #field(name) {
    const field = part(`[name=${name}]`, this.#form);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) return field;
    throw new Error(`no field ${name}`);
  }

  /** @param {string} name */
  #value(name) {
    return this.#field(name).value;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #set(name, value) {
    this.#field(name).value = value;
  }

  /** @param {string} name */
  #seconds(name) {
    return Number(this.#value(name)) * Number(this.#value(`${name}_unit`));
  }

  /**
   * In the largest unit of which it is a whole number.
   *
   * @param {string} name
   * @param {number} seconds
   */
  #setTime(name, seconds) {
    const unit = UNITS_SECONDS.find((each) => seconds % each === 0) ?? 1;
    this.#set(name, String(seconds / unit));
    this.#set(`${name}_unit`, String(unit));
  }
}
