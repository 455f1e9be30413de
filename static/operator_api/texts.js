/** What the page says to people: it stands in the page's `#texts` template, where it was translated. */

const source = document.querySelector("#texts").content;

/** The text of `key` with `{name}` filled in from `values`; null when the page has no such text. */
export function text(key, values = {}) {
  const element = source.querySelector(`[data-text="${CSS.escape(key)}"]`);
  return element && element.textContent.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
