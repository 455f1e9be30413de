/** Parts of the page that fold away. Where there is little room, the feed comes first; what the reader did last counts. */

import { choices, choose } from "./choices.js";
import { part, partOf } from "./dom.js";

/** Each part, and the width below which it is folded at first. */
const PARTS = { pictures: "52rem", tools: "52rem", facets: "64rem" };

export function keepFolds() {
  for (const [name, width] of Object.entries(PARTS)) {
    const details = partOf(HTMLDetailsElement, `.${name}`);
    const narrow = matchMedia(`(width < ${width})`);
    // On a telephone another choice is made than on a desk.
    const key = () => `${name}${narrow.matches ? "-narrow" : ""}`;
    const fold = () => (details.open = Boolean(choices()[key()] ?? !narrow.matches));
    narrow.addEventListener("change", fold);
    // By pointer or by keys, before it opens or closes.
    part("summary", details).addEventListener("click", () => choose({ [key()]: !details.open }));
    fold();
  }
}
