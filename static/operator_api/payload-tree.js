/** JSON as a tree that opens and closes. Branches are made when they are opened: a payload may have 64 KiB. */

import { numberText } from "../events/exact.js";
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
  const tree = document.createElement("ul");
  tree.className = "tree";
  tree.append(...members(value, [], 0, actions));
  return tree;
}

/**
 * @param {object} value
 * @param {string[]} path - the keys that lead to it; places in lists are none
 * @param {number} depth
 * @param {ValueActions} actions
 */
function members(value, path, depth, actions) {
  const all = Object.entries(value);
  const below = (/** @type {string} */ key) => (Array.isArray(value) ? path : [...path, key]);
  const shown = all.slice(0, MEMBERS_LIMIT).map(([key, member]) => item(key, member, below(key), depth, actions));
  const left = all.length - shown.length;
  return left > 0 ? [...shown, element("li", "more", text("tree.more", { n: left }))] : shown;
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
  const name = element("span", "key");
  name.append(...marked(visible(key)));
  if (value === null || typeof value !== "object" || !Object.keys(value).length) {
    const sent = numberText(value);
    const [type, words] = sent === null ? [kind(value), visible(JSON.stringify(value))] : ["number", sent];
    const shown = element("code", `value ${type}`);
    shown.append(...marked(words));
    const asked = value === null || typeof value === "object" ? null : (sent ?? String(value));
    line.append(name, " ", shown, " ", actions.ofPayload(path, asked));
    return line;
  }
  const branch = element("details");
  const size = Object.keys(value).length;
  const summary = element("summary");
  summary.append(name, " ", element("span", "size", Array.isArray(value) ? `[${size}]` : `{${size}}`));
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

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 */
function element(name, className = "", content = "") {
  return Object.assign(document.createElement(name), { className, textContent: content });
}
