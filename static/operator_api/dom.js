/** Parts of the page by selector. A part that is missing is an error at once, which names it. */

/**
 * @param {string} selector
 * @param {ParentNode} [place]
 */
export function part(selector, place) {
  return partOf(HTMLElement, selector, place);
}

/**
 * A part of a certain kind, such as HTMLButtonElement.
 *
 * @template {Element} Kind
 * @param {new () => Kind} kind
 * @param {string} selector
 * @param {ParentNode} [place]
 * @returns {Kind}
 */
export function partOf(kind, selector, place = document) {
  const found = place.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`This page has no ${kind.name} ${selector}`);
  return found;
}

/**
 * @template {Element} Kind
 * @param {new () => Kind} kind
 * @param {string} selector
 * @param {ParentNode} [place]
 * @returns {Kind[]}
 */
export function partsOf(kind, selector, place = document) {
  /** @type {(found: Element) => found is Kind} */
  const isKind = (found) => found instanceof kind;
  return [...place.querySelectorAll(selector)].filter(isKind);
}

/**
 * The place in the page that a script fills.
 *
 * @param {string} name
 * @param {ParentNode} [place]
 */
export function slot(name, place) {
  return part(`[data-slot=${name}]`, place);
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} [properties]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

/**
 * @param {string} words
 * @param {(press: MouseEvent) => void} pressed
 * @param {Partial<HTMLButtonElement>} [properties]
 */
export function button(words, pressed, properties) {
  const made = element("button", { type: "button", textContent: words, ...properties });
  made.addEventListener("click", pressed);
  return made;
}

/**
 * What is the target of an event of the browser, where it is an element.
 *
 * @param {Event} happened
 */
export function targetOf({ target }) {
  return target instanceof Element ? target : null;
}

/**
 * An id behind a sentence; nothing where there is no id.
 *
 * @param {string | null | undefined} id
 */
export function behind(id) {
  return id ? [" ", element("code", { textContent: id })] : [];
}
