/** One entry as a row of the feed. What comes from an event becomes text nodes, never markup. */

import { longTime, shortTime } from "./clock.js";
import { text } from "./texts.js";

const template = document.querySelector("#row");

export function rowOf(entry) {
  return entry.event ? eventRow(entry.event) : noteRow(entry);
}

function eventRow(event) {
  const row = template.content.firstElementChild.cloneNode(true);
  const fill = (selector, value) => (row.querySelector(selector).textContent = value);
  const time = row.querySelector("time");
  time.dateTime = event.created_at;
  time.textContent = shortTime(event.created_at);
  time.title = longTime(event.created_at);
  row.id = `event-${event.event_id}`;
  row.dataset.key = event.event_id;
  row.dataset.severity = event.severity;
  fill(".severity", text(`severity.${event.severity}`) ?? event.severity);
  fill(".module", event.module);
  fill(".type", event.event_type);
  fill(".text", event.summary);
  row.querySelector(".text").title = event.summary;
  return row;
}

/** A line of the page itself between the events, such as a gap. */
function noteRow({ key, sentence }) {
  const row = document.createElement("li");
  row.className = "row note";
  row.id = key.replace(" ", "-");
  row.setAttribute("role", "option");
  row.textContent = row.title = sentence;
  return row;
}
