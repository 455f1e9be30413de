/** The names of the columns above the feed, each with a button that takes it away. Usual columns need no names. */

import { areChosen, columns, labelOf, onColumnsChange, showColumns } from "./columns.js";
import { button, element, part, slot } from "./dom.js";
import { text } from "./texts.js";

export class ColumnHeads {
  #place = slot("column-heads");
  #feed = part("#feed");

  constructor() {
    onColumnsChange(() => this.#show());
    new ResizeObserver(() => this.#align()).observe(this.#feed);
    this.#show();
  }

  #show() {
    const had = this.#place.contains(document.activeElement);
    this.#place.hidden = !areChosen();
    const names = [head(text("head.time")), head(text("detail.severity")), ...columns().map((name) => this.#head(name))];
    this.#place.replaceChildren(...names, head(text("detail.summary")));
    // The button that was pressed is gone.
    if (had) this.#feed.focus({ preventScroll: true });
  }

  /** The feed has a scroll bar, on some devices beside the rows. */
  #align() {
    this.#place.style.marginRight = `${this.#feed.offsetWidth - this.#feed.clientWidth}px`;
  }

  /** @param {string} name */
  #head(name) {
    const label = labelOf(name);
    const cell = head(label);
    const title = text("column.remove", { column: label });
    const remove = () => showColumns(columns().filter((other) => other !== name));
    cell.append(button("×", remove, { title, ariaLabel: title }));
    return cell;
  }
}

/** @param {string} words */
function head(words) {
  const cell = element("span");
  cell.append(element("span", { textContent: words, title: words }));
  return cell;
}
