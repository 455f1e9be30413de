/**
 * Whether the reader presses a button at this moment, from the press of the mouse, finger or Space until its effect.
 * A button that is replaced between the two gets no click, and one that has moved away gets another's. So whatever
 * would change the page because a field lost the focus, or because an answer came, waits for the end of the press.
 */

import { targetOf } from "./dom.js";

/** Where a press ends in a click. Of a press on a scroll bar or a list of choices, browsers do not report the end. */
const PRESSABLE = "button, a, label, summary, [role=option]";

let pressed = false;
/** @type {Set<() => void>} */
const waiting = new Set();

/**
 * Runs `task` now, or at the end of the press: before the click has its effect, which then meets what `task` has set.
 * A task that waits already does not wait twice.
 *
 * @param {() => void} task
 */
export function afterPress(task) {
  if (pressed) waiting.add(task);
  else task();
}

/** @param {Event} press */
function begin(press) {
  const main = !(press instanceof MouseEvent) || press.button === 0;
  if (main && targetOf(press)?.closest(PRESSABLE)) pressed = true;
}

function end() {
  pressed = false;
  const tasks = [...waiting];
  waiting.clear();
  for (const task of tasks) task();
}

/** A click follows in the same turn of the browser, unless the pointer has left the button. */
const endSoon = () => setTimeout(end);

for (const name of ["pointerdown", "mousedown"]) addEventListener(name, begin, { capture: true });
addEventListener("click", end, { capture: true });
for (const name of ["mouseup", "pointerup", "pointercancel", "contextmenu", "dragend", "blur"]) {
  // Of a window alone: fields lose the focus inside of a press.
  addEventListener(name, (happened) => (name !== "blur" || happened.target === window) && endSoon(), { capture: true });
}
addEventListener("keydown", (press) => press.key === " " && begin(press), { capture: true });
addEventListener("keyup", ({ key }) => key === " " && endSoon(), { capture: true });
