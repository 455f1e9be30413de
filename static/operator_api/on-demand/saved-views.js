/** Saved views: what is asked for, under a name. To save, choose, rename, share and delete them, and to begin with one. */

import { addressParameters, stepTo } from "../address.js";
import { button, part, partOf, slot } from "../dom.js";
import { ApiError, showRefusal } from "../requests.js";
import { may } from "../rights.js";
import { text } from "../texts.js";
import { visible } from "../unseen.js";

/**
 * @import { SavedView } from "../answers.d.ts"
 * @import { Filter } from "../filter.js"
 */

export class SavedViews {
  #api;
  #filter;
  #dialog = partOf(HTMLDialogElement, "#views");
  #form = partOf(HTMLFormElement, "form", this.#dialog);
  #name = partOf(HTMLInputElement, "[name=view]", this.#form);
  #shared = partOf(HTMLInputElement, "[name=shared]", this.#form);
  #list = slot("views");
  #none = slot("views-none");
  #refusal = part("[role=alert]", this.#dialog);
  #said = slot("views-said");
  /** One change after the other: each ends with the list as it is then. */
  #last = Promise.resolve();

  /**
   * @param {import("../requests.js").ConsoleApi} api
   * @param {() => Filter} filter - what is asked for now
   */
  constructor(api, filter) {
    this.#api = api;
    this.#filter = filter;
    part("[data-action=close-views]", this.#dialog).addEventListener("click", () => this.#dialog.close());
    const share = slot("views-share", this.#form);
    this.#shared.disabled = !may("views:share");
    if (this.#shared.disabled) share.textContent = text("refused.insufficient_scope");
    share.hidden = !this.#shared.disabled;
    this.#form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#save();
    });
  }

  open() {
    showRefusal(this.#refusal, null);
    this.#said.textContent = "";
    this.#dialog.showModal();
    this.#do(async () => {});
  }

  async #save() {
    // A second press means the same view.
    if (this.#form.ariaBusy === "true") return;
    this.#form.ariaBusy = "true";
    const { text: query, from, to } = this.#filter();
    const name = this.#name.value.trim();
    await this.#do(async () => {
      const view = { name, query, from, to, ...placesOfAddress(), shared: this.#shared.checked };
      await this.#api.post("/views", view);
      this.#name.value = "";
      this.#shared.checked = false;
      this.#say("views.saved", name);
    });
    this.#form.ariaBusy = "false";
  }

  /**
   * One change, and then the list as it is: another person may have changed it, too.
   *
   * @param {() => Promise<void>} change
   * @param {string} [focused] - the key of the button that has the focus afterwards
   */
  #do(change, focused) {
    this.#last = this.#last.then(() => this.#change(change, focused));
    return this.#last;
  }

  /**
   * @param {() => Promise<void>} change
   * @param {string} [focused]
   */
  async #change(change, focused) {
    try {
      await change();
      const { views } = await this.#api.get("/views");
      showRefusal(this.#refusal, null);
      this.#list.replaceChildren(...views.map((view) => this.#item(view)));
      this.#none.hidden = views.length > 0;
      if (focused) this.#focus(focused);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    }
  }

  /** @param {string} key */
  #focus(key) {
    const found = this.#list.querySelector(`[data-key="${CSS.escape(key)}"]`);
    (found instanceof HTMLElement ? found : this.#name).focus();
  }

  /**
   * @param {string} sentence
   * @param {string} name
   */
  #say(sentence, name) {
    this.#said.textContent = text(sentence, { name });
  }

  /** @param {SavedView} view */
  #item(view) {
    const item = document.createElement("li");
    const choose = button(visible(view.name), () => this.#choose(view), { className: "view" });
    choose.title = [view.query, view.from, view.to].filter(Boolean).join(" · ");
    if (this.#isShown(view)) choose.ariaCurrent = "true";
    const whose = Object.assign(document.createElement("span"), { className: "whose" });
    if (view.shared) whose.textContent = view.mine ? text("views.shared") : text("views.by", { name: view.owner });
    item.append(choose, whose, this.#toStart(view));
    if (view.mine) item.append(this.#toShare(view), this.#toRename(view, item), this.#toDelete(view));
    return item;
  }

  /** @param {SavedView} view */
  #choose({ query, from, to, columns, facets }) {
    this.#dialog.close();
    stepTo({ q: query, from, to, columns, facets, at: "", event: "" });
  }

  /** @param {SavedView} view */
  #isShown(view) {
    const { text: query, from, to } = this.#filter();
    const shown = { query, from, to, ...placesOfAddress() };
    return Object.entries(shown).every(([name, value]) => Reflect.get(view, name) === value);
  }

  /** @param {SavedView} view */
  #toStart({ id, name, start }) {
    const star = this.#action(start ? "★" : "☆", text("views.start", { name }), `start ${id}`, () =>
      this.#api.post(`/views/${id}`, { start: !start }, {}, "PATCH"));
    star.ariaPressed = String(start);
    return star;
  }

  /** @param {SavedView} view */
  #toShare({ id, name, shared }) {
    const share = this.#action(text("views.share_word"), text("views.share", { name }), `share ${id}`, () =>
      this.#api.post(`/views/${id}`, { shared: !shared }, {}, "PATCH"));
    share.ariaPressed = String(shared);
    // To end sharing needs no right.
    share.hidden = !shared && !may("views:share");
    return share;
  }

  /**
   * @param {SavedView} view
   * @param {HTMLElement} item - its place, where the name is written anew
   */
  #toRename({ id, name }, item) {
    const rename = button(text("views.rename_word"), () => {
      const field = Object.assign(document.createElement("input"), { type: "text", value: name, maxLength: 80 });
      field.ariaLabel = text("views.new_name", { name });
      const write = () => this.#do(async () => {
        await this.#api.post(`/views/${id}`, { name: field.value.trim() }, {}, "PATCH");
        this.#say("views.renamed", field.value.trim());
      }, `rename ${id}`);
      field.addEventListener("keydown", (press) => {
        if (press.key !== "Enter" && press.key !== "Escape") return;
        press.preventDefault();
        // The dialog stays open.
        press.stopPropagation();
        if (press.key === "Enter") write();
        else this.#do(async () => {}, `rename ${id}`);
      });
      item.replaceChildren(field, button(text("views.write"), write));
      field.select();
    });
    rename.ariaLabel = text("views.rename", { name });
    rename.dataset.key = `rename ${id}`;
    return rename;
  }

  /**
   * Nothing is deleted without a second press.
   *
   * @param {SavedView} view
   */
  #toDelete({ id, name }) {
    const remove = button(text("views.delete_word"), () => {
      if (!remove.classList.contains("primary")) {
        remove.className = "primary";
        remove.textContent = remove.ariaLabel = text("views.delete_now", { name });
        return;
      }
      this.#do(async () => {
        await this.#api.post(`/views/${id}`, {}, {}, "DELETE");
        this.#say("views.deleted", name);
      }, "none");
    });
    remove.ariaLabel = text("views.delete", { name });
    return remove;
  }

  /**
   * @param {string} words
   * @param {string} label
   * @param {string} key
   * @param {() => Promise<unknown>} change
   */
  #action(words, label, key, change) {
    const made = button(words, () => this.#do(async () => void (await change()), key));
    made.ariaLabel = made.title = label;
    made.dataset.key = key;
    return made;
  }
}

/** What stands beside the feed, as in the address. */
function placesOfAddress() {
  const parameters = addressParameters();
  return { columns: parameters.get("columns") ?? "", facets: parameters.get("facets") ?? "" };
}
