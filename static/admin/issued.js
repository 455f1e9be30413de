// A token's text is shown once. Whoever leaves this page and comes back to it, by a browser that keeps whole pages,
// finds an empty field.

addEventListener("pagehide", () => {
  const field = document.querySelector("#issued-token");
  field.removeAttribute("value");
  field.value = "";
});
