/** The sentences of the page. They stand in the page's `#texts` template, where they were translated. */

import { partOf } from "./dom.js";

const source = partOf(HTMLTemplateElement, "#texts").content;

/**
 * The text of `key` with `{name}` filled in from `values`; null when the page has no such text.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function textIfAny(key, values = {}) {
  const element = source.querySelector(`[data-text="${CSS.escape(key)}"]`);
  return element && element.textContent.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * The same for a text that the page has.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function text(key, values) {
  return textIfAny(key, values) ?? key;
}
