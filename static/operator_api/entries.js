/** The piece of the log that the page holds: consecutive, in order, bounded. Knows neither page nor server. */

/** So many rows are kept, some minutes of a busy log; what lies further off is read from the log again. */
export const ENTRY_LIMIT = 2_000;

/** @typedef {{key: string, event?: object, cursor?: string, sentence?: string}} Entry - an event, or a note of the page */

export class Entries {
  #list = [];
  #keys = new Set();
  #notes = 0;

  get length() {
    return this.#list.length;
  }

  at(index) {
    return this.#list.at(index);
  }

  indexOf(key) {
    return this.#list.findIndex((entry) => entry.key === key);
  }

  /** The index of the first event from `index` on, in steps of `step`, that passes; -1 when there is none. */
  find(index, step, passes) {
    for (let at = index; at >= 0 && at < this.length; at += step) {
      if (this.#list[at].event && passes(this.#list[at].event)) return at;
    }
    return -1;
  }

  get firstEvent() {
    return this.#list.find((entry) => entry.event) ?? null;
  }

  get lastEvent() {
    return this.#list.findLast((entry) => entry.event) ?? null;
  }

  get eventCount() {
    return this.#keys.size;
  }

  /** Puts events at the end, each once; how many of the oldest had to go. */
  append(entries) {
    this.#list.push(...this.#fresh(entries));
    return this.#forget(this.#list.splice(0, Math.max(0, this.length - ENTRY_LIMIT)));
  }

  /** Puts events in front, each once; how many were put there and how many of the newest had to go. */
  prepend(entries) {
    const fresh = this.#fresh(entries);
    this.#list.unshift(...fresh);
    return { added: fresh.length, dropped: this.#forget(this.#list.splice(ENTRY_LIMIT)) };
  }

  /** A sentence of the page at the end. */
  note(sentence) {
    this.#notes += 1;
    this.#list.push({ key: `note ${this.#notes}`, sentence });
  }

  clear() {
    this.#list = [];
    this.#keys.clear();
  }

  #fresh(entries) {
    const fresh = entries.filter(({ event }) => !this.#keys.has(event.event_id) && this.#keys.add(event.event_id));
    return fresh.map(({ event, cursor }) => ({ key: event.event_id, event, cursor }));
  }

  #forget(entries) {
    for (const { key } of entries) this.#keys.delete(key);
    return entries.length;
  }
}
