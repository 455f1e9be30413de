/**
 * What the account may do, as it was when the page was made. The server decides; the page says before what it will
 * refuse.
 */

import { text } from "./texts.js";

/** @import { Banners } from "./banners.js" */

const scopes = new Set((document.body.dataset.scopes ?? "").split(" "));

/** @param {string} scope - such as "window:write" */
export function may(scope) {
  return scopes.has(scope);
}

/**
 * Switches a button off without the right, and says why: to who points at it, reaches it by keys or presses it.
 *
 * @param {HTMLElement} button
 * @param {string} scope
 * @param {Banners} banners
 */
export function needs(button, scope, banners) {
  if (may(scope)) return;
  const why = text("refused.insufficient_scope");
  button.ariaDisabled = "true";
  button.title = why;
  button.addEventListener("click", (press) => {
    press.preventDefault();
    press.stopImmediatePropagation();
    banners.show("right", why);
    addEventListener("click", () => banners.hide("right"), { capture: true, once: true });
  });
}
