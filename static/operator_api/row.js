/** One event as a row of the feed. What comes from an event becomes text nodes, never markup. */

import { text } from "./texts.js";

const template = document.querySelector("#row");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const DETAILS = ["occurred_at", "created_at", "correlation_id", "event_id", "seq"];

/** A list item; the details are put in when somebody opens it, so that a thousand rows stay light. */
export function eventRow(event) {
  const row = template.content.firstElementChild.cloneNode(true);
  const fill = (selector, value) => (row.querySelector(selector).textContent = value);
  const time = row.querySelector("time");
  time.dateTime = event.created_at;
  time.textContent = shortTime(new Date(event.created_at));
  row.dataset.severity = event.severity;
  fill(".severity", event.severity);
  fill(".module", event.module);
  fill(".type", event.event_type);
  fill(".text", event.summary);
  const details = row.querySelector("details");
  details.addEventListener("toggle", () => details.append(eventDetails(event)), { once: true });
  return row;
}

/** A line of the page itself between the events, such as a gap. */
export function noteRow(note) {
  const row = document.createElement("li");
  row.className = "note";
  row.textContent = note;
  return row;
}

/** Hours to milliseconds; the day instead of the milliseconds when it is not today. */
function shortTime(moment) {
  if (moment.toDateString() !== new Date().toDateString()) return `${day.format(moment)} ${clock.format(moment)}`;
  return `${clock.format(moment)}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
}

function eventDetails(event) {
  const list = document.createElement("dl");
  const add = (key, tag, value) => {
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    const body = document.createElement(tag);
    term.textContent = text(`detail.${key}`);
    body.textContent = value;
    description.append(body);
    list.append(term, description);
  };
  for (const key of DETAILS) {
    if (event[key] !== null) add(key, "code", event[key]);
  }
  add("payload", "pre", JSON.stringify(event.payload, null, 2));
  return list;
}
