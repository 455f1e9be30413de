// A token's text is shown once. A browser may keep the whole page for its "back" button: the field is empty then.

addEventListener("pagehide", () => {
  const field = document.querySelector("#issued-token");
  if (!(field instanceof HTMLInputElement)) return;
  field.removeAttribute("value");
  field.value = "";
});
