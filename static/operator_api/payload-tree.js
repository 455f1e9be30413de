/** JSON as a tree that opens and closes. Branches are made when they are opened: a payload may have 64 KiB. */

import { numberText } from "../events/exact.js";
import { button, element } from "./dom.js";
import { marked } from "./highlight.js";
import { text } from "./texts.js";
import { visible } from "./unseen.js";

/** @import { ValueActions } from "./value-actions.js" */

/** So many branches are open at the start, the rest on demand. */
const OPEN_DEPTH = 2;
const MEMBERS_LIMIT = 200;

/**
 * @param {object} value
 * @param {ValueActions} actions - offered behind each value
 */
export function payloadTree(value, actions) {
  const tree = element("ul", { className: "tree" });
  tree.append(...members(value, [], 0, actions));
  return tree;
}

/**
 * @param {object} value
 * @param {string[]} path - the keys that lead to it; places in lists are none
 * @param {number} depth
 * @param {ValueActions} actions
 * @returns {HTMLElement[]}
 */
function members(value, path, depth, actions) {
  const all = Object.entries(value);
  const below = (/** @type {string} */ key) => (Array.isArray(value) ? path : [...path, key]);
  /**
   * @param {number} from
   * @returns {HTMLElement[]}
   */
  const piece = (from) => {
    const upto = from + MEMBERS_LIMIT;
    const shown = all.slice(from, upto).map(([key, member]) => item(key, member, below(key), depth, actions));
    return upto < all.length ? [...shown, moreOf(all.length - upto, () => piece(upto))] : shown;
  };
  return piece(0);
}

/**
 * A line with a button, in whose place the next members come.
 *
 * @param {number} left
 * @param {() => HTMLElement[]} next
 */
function moreOf(left, next) {
  const line = element("li", { className: "more" });
  line.append(button(text("tree.more", { n: left }), () => {
    const members = next();
    line.replaceWith(...members);
    // The button is gone; who goes on by keys is at what came in its place.
    members[0].querySelector("button")?.focus({ preventScroll: true });
  }));
  return line;
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {string[]} path
 * @param {number} depth
 * @param {ValueActions} actions
 */
function item(key, value, path, depth, actions) {
  const line = element("li");
  const name = element("span", { className: "key" });
  name.append(...marked(visible(key)));
  if (value === null || typeof value !== "object" || !Object.keys(value).length) {
    const sent = numberText(value);
    const [type, words] = sent === null ? [kind(value), visible(JSON.stringify(value))] : ["number", sent];
    const shown = element("code", { className: `value ${type}` });
    shown.append(...marked(words));
    const asked = value === null || typeof value === "object" ? null : (sent ?? String(value));
    line.append(name, " ", shown, " ", actions.ofPayload(path, asked));
    return line;
  }
  const branch = element("details");
  const size = Object.keys(value).length;
  const summary = element("summary");
  summary.append(name, " ", element("span", { className: "size", textContent: Array.isArray(value) ? `[${size}]` : `{${size}}` }));
  branch.append(summary);
  const fill = () => {
    if (branch.open && branch.children.length === 1) {
      const list = element("ul");
      list.append(...members(value, path, depth + 1, actions));
      branch.append(list);
    }
  };
  branch.addEventListener("toggle", fill);
  branch.open = depth < OPEN_DEPTH;
  fill();
  line.append(branch);
  return line;
}

/** @param {unknown} value */
function kind(value) {
  return value === null ? "null" : typeof value;
}
