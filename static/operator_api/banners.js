/** Lines below the bar about what is not as it should be, each as long as it is so. */

export class Banners {
  #place = document.querySelector("[data-slot=banners]");
  #shown = new Map();

  show(name, sentence) {
    const banner = this.#shown.get(name) ?? document.createElement("p");
    banner.className = "banner";
    banner.dataset.banner = name;
    // Said once: the place is announced.
    if (banner.textContent !== sentence) banner.textContent = sentence;
    if (!this.#shown.has(name)) this.#place.append(banner);
    this.#shown.set(name, banner);
  }

  hide(name) {
    this.#shown.get(name)?.remove();
    this.#shown.delete(name);
  }
}
