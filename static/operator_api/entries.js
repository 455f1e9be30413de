/** The piece of the log that the page holds: consecutive, in order, bounded. Knows neither page nor server. */

/** So many rows are kept, some minutes of a busy log; what lies further off is read from the log again. */
export const ENTRY_LIMIT = 2_000;
/**
 * And so many bytes. An event has 64 KiB at most, so this is 512 of the largest: more than what one look at the log
 * brings (249) and what is in sight, so that what is put on at one end never pushes out what somebody reads.
 */
export const KEPT_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * @typedef {object} Entry - an event, or a note of the page
 * @property {string} key
 * @property {number} bytes - what counts towards KEPT_LIMIT_BYTES
 * @property {object} [event]
 * @property {string} [cursor]
 * @property {string} [sentence]
 */

/** Of an event as JSON, in bytes; a letter counts as one, as it does in the memory of browsers for most languages. */
export function sizeOf(event) {
  return JSON.stringify(event).length;
}

export class Entries {
  #list = [];
  #keys = new Set();
  #bytes = 0;
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

  /** Whether these can be put at one end without any going at the other. */
  hasRoomFor(entries) {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, this.#bytes);
    return this.length + entries.length <= ENTRY_LIMIT && bytes <= KEPT_LIMIT_BYTES;
  }

  /** Puts events at the end, each once; how many of the oldest had to go. */
  append(entries) {
    this.#list.push(...this.#fresh(entries));
    return this.#forget(this.#list.splice(0, this.#excess((count) => count)));
  }

  /** Puts events in front, each once; how many were put there and how many of the newest had to go. */
  prepend(entries) {
    const fresh = this.#fresh(entries);
    this.#list.unshift(...fresh);
    const excess = this.#excess((count) => -1 - count);
    return { added: fresh.length, dropped: this.#forget(this.#list.splice(this.length - excess)) };
  }

  /** A sentence of the page at the end. */
  note(sentence) {
    this.#notes += 1;
    this.#list.push({ key: `note ${this.#notes}`, bytes: 0, sentence });
  }

  clear() {
    this.#list = [];
    this.#bytes = 0;
    this.#keys.clear();
  }

  #fresh(entries) {
    const fresh = entries.filter(({ event }) => !this.#keys.has(event.event_id) && this.#keys.add(event.event_id));
    return fresh.map(({ event, cursor, bytes = sizeOf(event) }) => {
      this.#bytes += bytes;
      return { key: event.event_id, event, cursor, bytes };
    });
  }

  /** How many are too many; `place` gives the index of the first that goes, of the second, and so on. */
  #excess(place) {
    let [count, bytes] = [0, this.#bytes];
    while (this.length - count > ENTRY_LIMIT || bytes > KEPT_LIMIT_BYTES) {
      bytes -= this.#list.at(place(count)).bytes;
      count += 1;
    }
    return count;
  }

  #forget(entries) {
    for (const { key, bytes } of entries) {
      this.#keys.delete(key);
      this.#bytes -= bytes;
    }
    return entries.length;
  }
}
