/** What stands in the page's address, so that a link shows the same: filters, time zone, position, switches. */

/** The query that the page shows. */
let shown = location.search;
/** @type {(() => void)[]} */
const listeners = [];

export function addressParameters() {
  return new URLSearchParams(location.search);
}

/**
 * Sets parameters, or takes them away where the value is empty. `push`: the browser's "back" leads to the state before.
 *
 * @param {Record<string, string | null>} changes
 * @param {{ push?: boolean }} [options]
 */
export function changeAddress(changes, { push = false } = {}) {
  const parameters = addressParameters();
  for (const [name, value] of Object.entries(changes)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const query = parameters.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  const address = query ? `?${query}` : location.pathname;
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  shown = location.search;
}

/**
 * The reader went back or forth. A step to a part of the page, like the link to the events at its top, is none.
 *
 * @param {() => void} listener
 */
export function onStep(listener) {
  listeners.push(listener);
}

addEventListener("popstate", () => {
  if (location.search === shown) return;
  shown = location.search;
  for (const listener of listeners) listener();
});
