/** One entry as a row of the feed. What comes from an event becomes text nodes, never markup. */

import { part, partOf } from "./dom.js";
import { marked } from "./highlight.js";
import { text, textIfAny } from "./texts.js";
import { happenedAt, longTime, shortTime } from "./times.js";

/**
 * @import { OperatorEvent } from "../events/event-client.d.ts"
 * @import { Entry, Note } from "./entries.js"
 */

const template = part(".row", partOf(HTMLTemplateElement, "#row").content);

/** @param {Entry} entry */
export function rowOf(entry) {
  return entry.event ? eventRow(entry.event) : noteRow(entry);
}

/** @param {OperatorEvent} event */
function eventRow(event) {
  const row = document.importNode(template, true);
  const fill = (/** @type {string} */ selector, /** @type {string} */ words) => {
    part(selector, row).replaceChildren(...marked(words));
  };
  const time = partOf(HTMLTimeElement, "time", row);
  const happened = happenedAt(event);
  time.dateTime = happened;
  time.textContent = shortTime(happened);
  time.title = longTime(happened);
  if (happened !== event.created_at) time.title += `\n${text("detail.created_at")}: ${longTime(event.created_at)}`;
  row.id = `event-${event.event_id}`;
  row.dataset.key = event.event_id;
  row.dataset.severity = event.severity;
  fill(".severity", textIfAny(`severity.${event.severity}`) ?? event.severity);
  fill(".module", event.module);
  fill(".type", event.event_type);
  fill(".text", event.summary);
  part(".text", row).title = event.summary;
  return row;
}

/**
 * A line of the page itself between the events, such as a gap.
 *
 * @param {Note} note
 */
function noteRow({ key, sentence }) {
  const row = document.createElement("li");
  row.className = "row note";
  row.id = key.replace(" ", "-");
  row.setAttribute("role", "option");
  row.textContent = row.title = sentence;
  return row;
}
