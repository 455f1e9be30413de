/**
 * How the reader wants the page to look, kept in this browser: nothing of events or of people. A browser that keeps
 * nothing shows the usual looks.
 */

const KEY = "vx11-console";

/** @typedef {Record<string, string | boolean>} Choices */

/** @returns {Choices} what was chosen; what is missing is as usual */
export function choices() {
  try {
    return Object(JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    return {};
  }
}

/** @param {Choices} changes */
export function choose(changes) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...choices(), ...changes }));
  } catch {
    // It counts until the page is loaded again.
  }
}
