// A token's text is shown once. A browser may keep the whole page for its "back" button: the field is empty then.

import { copy } from "../operator_api/clipboard.js";

const field = document.querySelector("#issued-token");
const copied = document.querySelector("#copied-token");

addEventListener("pagehide", () => {
  if (!(field instanceof HTMLInputElement)) return;
  field.removeAttribute("value");
  field.value = "";
});

document.querySelector("#copy-token")?.addEventListener("click", async () => {
  if (!(field instanceof HTMLInputElement) || !copied) return;
  copied.textContent = (await copy(field.value)) ? "Copied." : "The browser did not allow it.";
});
