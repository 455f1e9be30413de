/** Own and shared watches: a list with what each waits for and whether it does; to make, change, mute and delete them. */

import { button, element, part, partOf, slot } from "../dom.js";
import { ApiError, showRefusal } from "../requests.js";
import { may } from "../rights.js";
import { text } from "../texts.js";
import { minuteTime, number, seconds } from "../times.js";
import { visible } from "../unseen.js";
import { isMuted, muteButton, muteChoices, muteWords } from "./muting.js";
import { WatchForm } from "./watch-form.js";

/** @import { Watch } from "../answers.d.ts" */

/** Firings in which the last one of each watch is looked for. */
const FIRINGS = 200;

// Before the parts of the page are looked up.
document.body.append(partOf(HTMLTemplateElement, "#watch-dialogs").content);

export class Watches {
  #api;
  #query;
  #changed;
  #form;
  #dialog = partOf(HTMLDialogElement, "#watches");
  #list = slot("watches");
  #refusal = part("[role=alert]", this.#dialog);
  #said = slot("watches-said");
  /** @type {Watch[]} */
  #watches = [];
  /** @type {Map<number, string>} - by watch: when it fired last */
  #last = new Map();
  /** The watch whose choices of muting are open. */
  #muting = 0;
  /** Each change ends with the list as it is then. */
  #turn = Promise.resolve();

  /**
   * @param {import("../requests.js").ConsoleApi} api
   * @param {() => string} query - what is asked for now
   * @param {() => void} changed - a watch is muted, renamed, deleted: the list of what fired shows it
   */
  constructor(api, query, changed) {
    this.#api = api;
    this.#query = query;
    this.#changed = changed;
    this.#form = new WatchForm(api, (watch, isNew) => this.#saved(watch, isNew));
    part("[data-action=close-watches]", this.#dialog).addEventListener("click", () => this.#dialog.close());
    const add = part("[data-action=add-watch]", this.#dialog);
    add.hidden = !may("watch:write");
    add.addEventListener("click", () => this.create());
  }

  open() {
    this.#said.textContent = "";
    this.#muting = 0;
    this.#dialog.showModal();
    this.#do(async () => {});
  }

  /** A form for a new one, of the query that is asked for now. */
  create() {
    this.#form.open(null, this.#query());
  }

  /**
   * @param {Watch} watch
   * @param {boolean} isNew
   */
  #saved({ id, name }, isNew) {
    this.#changed();
    if (!this.#dialog.open) this.open();
    const said = () => Promise.resolve(this.#say(isNew ? "watches.made" : "watches.changed", name));
    this.#do(said, `edit ${id}`);
  }

  /**
   * @param {() => Promise<void>} change
   * @param {string} [focused] - the key of the button that has the focus afterwards
   */
  #do(change, focused) {
    this.#turn = this.#turn.then(() => this.#change(change, focused));
  }

  /**
   * @param {() => Promise<void>} change
   * @param {string} [focused]
   */
  async #change(change, focused) {
    try {
      await change();
      const [{ watches }, { firings }] = await Promise.all([
        this.#api.get("/watches"),
        this.#api.get("/watches/fired", { limit: FIRINGS }),
      ]);
      // Own ones first, the newest on top.
      this.#watches = watches.sort((one, other) => Number(other.mine) - Number(one.mine) || other.id - one.id);
      // The newest firing of each comes first, so it is set last.
      this.#last = new Map(firings.reverse().map(({ watch_id: id, fired_at: at }) => [id, at]));
      showRefusal(this.#refusal, null);
      this.#draw(focused);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    }
  }

  /** @param {string} [focused] */
  #draw(focused) {
    slot("watches-none").hidden = this.#watches.length > 0;
    this.#list.replaceChildren(...this.#watches.map((watch) => this.#item(watch)));
    if (!focused) return;
    const found = this.#list.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    (found instanceof HTMLElement ? found : part("[data-action=close-watches]", this.#dialog)).focus();
  }

  /**
   * @param {string} sentence
   * @param {string} name
   */
  #say(sentence, name) {
    this.#said.textContent = text(sentence, { name: visible(name) });
  }

  /** @param {Watch} watch */
  #item(watch) {
    const { id, name, query, state, stopped_because: because, shared, mine, owner } = watch;
    const item = element("li");
    item.dataset.watch = String(id);
    item.dataset.state = state;
    const head = element("p");
    head.append(element("strong", { textContent: visible(name) }));
    if (query) head.append(" ", element("code", { textContent: visible(query) }));
    const last = this.#last.get(id);
    const words = [
      conditionWords(watch),
      text(`watch.${state}`, { reason: visible(because ?? "") }),
      last ? text("watch.last", { time: minuteTime(last) }) : text("watch.never"),
      ...(mine ? (shared ? [text("views.shared")] : []) : [text("views.by", { name: visible(owner) })]),
    ];
    item.append(head, element("p", { className: "what", textContent: words.join(" · ") }), ...this.#actions(watch));
    return item;
  }

  /** @param {Watch} watch */
  #actions(watch) {
    const { id, name, mine, muted_until: until } = watch;
    if (!may("watch:write")) {
      return isMuted(until) ? [element("p", { textContent: text("mute.until", { time: minuteTime(until ?? "") }) })] : [];
    }
    const line = element("p", { className: "actions" });
    const muting = {
      name,
      until,
      isOpen: this.#muting === id,
      toggle: () => {
        this.#muting = this.#muting === id ? 0 : id;
        this.#draw(`mute ${id}`);
      },
      mute: (/** @type {string | null} */ time) => this.#mute(watch, time),
    };
    const [mute, muted] = muteButton(muting);
    mute.dataset.key = `mute ${id}`;
    // The server lets owners and administrators change it.
    if (mine || may("tokens:admin")) line.append(this.#toEdit(watch), mute, this.#toDelete(watch), muted);
    else line.append(mute, muted);
    return [line, ...muteChoices(muting)];
  }

  /**
   * As it is now: another person may have changed it since the list was read.
   *
   * @param {Watch} watch
   */
  async #edit({ id }) {
    try {
      const watch = await this.#api.get(`/watches/${id}`);
      showRefusal(this.#refusal, null);
      this.#form.open(watch, "");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showRefusal(this.#refusal, error);
    }
  }

  /** @param {Watch} watch */
  #toEdit(watch) {
    const edit = button(text("watch.edit"), () => this.#edit(watch), {
      ariaLabel: text("watch.edit_it", { name: visible(watch.name) }),
    });
    edit.dataset.key = `edit ${watch.id}`;
    return edit;
  }

  /**
   * @param {Watch} watch
   * @param {string | null} until
   */
  #mute({ id, name }, until) {
    this.#muting = 0;
    this.#do(async () => {
      const { muted_until: now } = await this.#api.post(`/watches/${id}/mute`, { muted_until: until });
      this.#said.textContent = muteWords(visible(name), now);
      this.#changed();
    }, `mute ${id}`);
  }

  /**
   * Nothing is deleted without a second press.
   *
   * @param {Watch} watch
   */
  #toDelete({ id, name }) {
    const remove = button(text("views.delete_word"), () => {
      if (!remove.classList.contains("primary")) {
        remove.className = "primary";
        remove.textContent = remove.ariaLabel = text("views.delete_now", { name: visible(name) });
        return;
      }
      this.#do(async () => {
        await this.#api.post(`/watches/${id}`, {}, {}, "DELETE");
        this.#say("views.deleted", name);
        this.#changed();
      }, "none");
    });
    remove.ariaLabel = text("views.delete", { name: visible(name) });
    return remove;
  }
}

/** @param {Watch} watch */
function conditionWords({ condition, group_by: group }) {
  const words = plainWords(condition);
  return group ? `${words} ${text("watch.each", { field: group })}` : words;
}

/** @param {Watch["condition"]} condition */
function plainWords(condition) {
  if (condition.kind === "count") {
    const key = condition.at_least === 1 ? "watch.count_one" : "watch.count";
    return text(key, { n: number(condition.at_least), time: seconds(condition.within_sec) });
  }
  if (condition.kind === "absence") return text("watch.absence", { time: seconds(condition.for_sec) });
  if (condition.kind === "new_value") {
    return text("watch.new_value", { field: condition.field, n: number(condition.days) });
  }
  return text("watch.every");
}
