/** What is wrong with a query or a field, in the language of the page. The API says it in English everywhere. */

import { partOf, partsOf } from "./dom.js";

/** Letters that mean something in a regular expression. */
const SPECIAL = /[.*+?^$()[\]\\|]/g;
const PLACE = /\{(\w+)\}/g;

/**
 * The sentence as this page says it; the same where the page is English, or has no other words for it.
 *
 * @param {string} sentence
 */
export function translated(sentence) {
  if (document.documentElement.lang === "en") return sentence;
  const { content } = partOf(HTMLTemplateElement, "#mistakes");
  for (const known of partsOf(HTMLElement, "[data-mistake]", content)) {
    const pattern = (known.dataset.mistake ?? "").replace(SPECIAL, "\\$&").replace(PLACE, "(?<$1>.+)");
    const found = new RegExp(`^${pattern}$`, "s").exec(sentence);
    if (found) return known.textContent.replace(PLACE, (_, name) => found.groups?.[name] ?? "");
  }
  return sentence;
}
