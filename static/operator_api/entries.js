/** The piece of the log that the page holds: consecutive, in order, bounded. Knows neither page nor server. */

/** @import { OperatorEvent } from "../events/event-client.d.ts" */

/** So many rows are kept, some minutes of a busy log; what lies further off is read from the log again. */
export const ENTRY_LIMIT = 2_000;
/**
 * And so many bytes. An event has 64 KiB at most, so this is 512 of the largest: more than one read of the log brings
 * (249) and the screen shows together. So what is put on at one end never pushes out what is on the screen.
 */
export const KEPT_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * @typedef {{ event: OperatorEvent, cursor: string, bytes?: number }} PlacedEvent - an event and the position after it
 *
 * @typedef {{ key: string, bytes: number, event: OperatorEvent, cursor: string, sentence?: undefined }} EventEntry
 * @typedef {{ key: string, bytes: number, event?: undefined, cursor?: undefined, sentence: string }} Note
 * @typedef {EventEntry | Note} Entry - `bytes`: what counts towards KEPT_LIMIT_BYTES
 */

/**
 * Of an event as JSON, in bytes; a letter counts as one, as it does in the memory of browsers for most languages.
 *
 * @param {OperatorEvent} event
 */
export function sizeOf(event) {
  return JSON.stringify(event).length;
}

export class Entries {
  /** @type {Entry[]} */
  #list = [];
  /** @type {Set<string>} */
  #keys = new Set();
  #bytes = 0;
  #notes = 0;

  get length() {
    return this.#list.length;
  }

  /** @param {number} index */
  at(index) {
    return this.#list.at(index);
  }

  /** @param {string | null} key */
  indexOf(key) {
    return this.#list.findIndex((entry) => entry.key === key);
  }

  /**
   * The index of the first event from `index` on, in steps of `step`, that passes; -1 when there is none.
   *
   * @param {number} index
   * @param {number} step
   * @param {(event: OperatorEvent) => boolean} passes
   */
  find(index, step, passes) {
    for (let at = index; at >= 0 && at < this.length; at += step) {
      const { event } = this.#list[at];
      if (event && passes(event)) return at;
    }
    return -1;
  }

  get firstEvent() {
    return this.#list.find(isEvent) ?? null;
  }

  get lastEvent() {
    return this.#list.findLast(isEvent) ?? null;
  }

  get eventCount() {
    return this.#keys.size;
  }

  /**
   * Whether these can be put at one end without any going at the other.
   *
   * @param {PlacedEvent[]} events
   */
  hasRoomFor(events) {
    const bytes = events.reduce((sum, { event, bytes = sizeOf(event) }) => sum + bytes, this.#bytes);
    return this.length + events.length <= ENTRY_LIMIT && bytes <= KEPT_LIMIT_BYTES;
  }

  /**
   * Puts events at the end, each once; how many of the oldest had to go.
   *
   * @param {PlacedEvent[]} events
   */
  append(events) {
    this.#list.push(...this.#fresh(events));
    return this.#forget(this.#list.splice(0, this.#excess((count) => count)));
  }

  /**
   * Puts events in front, each once; how many were put there and how many of the newest had to go.
   *
   * @param {PlacedEvent[]} events
   */
  prepend(events) {
    const fresh = this.#fresh(events);
    this.#list.unshift(...fresh);
    const excess = this.#excess((count) => -1 - count);
    return { added: fresh.length, dropped: this.#forget(this.#list.splice(this.length - excess)) };
  }

  /**
   * A sentence of the page at the end; its key.
   *
   * @param {string} sentence
   */
  note(sentence) {
    this.#notes += 1;
    const key = `note ${this.#notes}`;
    this.#list.push({ key, bytes: 0, sentence });
    return key;
  }

  /**
   * The newest events, so many at most.
   *
   * @param {number} count
   */
  newest(count) {
    return this.#list.slice(-count).flatMap(({ event }) => event ?? []);
  }

  clear() {
    this.#list = [];
    this.#bytes = 0;
    this.#keys.clear();
  }

  /**
   * @param {PlacedEvent[]} events
   * @returns {EventEntry[]}
   */
  #fresh(events) {
    const fresh = [];
    for (const { event, cursor, bytes = sizeOf(event) } of events) {
      if (this.#keys.has(event.event_id)) continue;
      this.#keys.add(event.event_id);
      this.#bytes += bytes;
      fresh.push({ key: event.event_id, event, cursor, bytes });
    }
    return fresh;
  }

  /**
   * How many are too many; `place` gives the index of the first that goes, of the second, and so on.
   *
   * @param {(count: number) => number} place
   */
  #excess(place) {
    let [count, bytes] = [0, this.#bytes];
    while (this.length - count > ENTRY_LIMIT || bytes > KEPT_LIMIT_BYTES) {
      bytes -= this.#list.at(place(count))?.bytes ?? 0;
      count += 1;
    }
    return count;
  }

  /** @param {Entry[]} entries */
  #forget(entries) {
    for (const { key, bytes } of entries) {
      this.#keys.delete(key);
      this.#bytes -= bytes;
    }
    return entries.length;
  }
}

/**
 * @param {Entry} entry
 * @returns {entry is EventEntry}
 */
function isEvent(entry) {
  return entry.event !== undefined;
}
