/** One entry as a row of the feed. What comes from an event becomes text nodes, never markup. */

import { columns, wordsOf } from "./columns.js";
import { element, part, partOf } from "./dom.js";
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
  row.toggleAttribute("data-happened", happened !== event.created_at);
  if (happened !== event.created_at) time.title += `\n${text("detail.created_at")}: ${longTime(event.created_at)}`;
  row.id = `event-${event.event_id}`;
  row.dataset.key = event.event_id;
  row.dataset.severity = event.severity;
  fill(".severity", textIfAny(`severity.${event.severity}`) ?? event.severity);
  part(".text", row).before(...columns().flatMap((name) => [cell(name, event), " "]));
  fill(".text", event.summary);
  part(".text", row).title = event.summary;
  return row;
}

/**
 * @param {string} name - of the column
 * @param {OperatorEvent} event
 */
function cell(name, event) {
  const words = wordsOf(name, event);
  const made = element("span", { className: name.replace(/\..*/s, ""), title: words });
  made.dataset.column = name;
  made.append(...marked(words));
  return made;
}

/**
 * A line of the page itself between the events, such as a gap.
 *
 * @param {Note} note
 */
function noteRow({ key, sentence }) {
  return element("li", {
    className: "row note",
    id: key.replace(" ", "-"),
    role: "option",
    textContent: sentence,
    title: sentence,
  });
}
