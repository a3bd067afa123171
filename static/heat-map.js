// <heat-map><img></heat-map>: a heat map that the server is too busy to draw yet is asked for again, a few times.

const TRIES = 6;

class HeatMap extends HTMLElement {
  #tries = 0;
  #timer = 0;

  connectedCallback() {
    const image = this.querySelector("img");
    image.addEventListener("error", () => this.#later(image));
    if (image.complete && image.naturalWidth === 0 && image.currentSrc) this.#later(image);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  #later(image) {
    if (++this.#tries > TRIES) return;
    const address = new URL(image.src);
    address.searchParams.set("try", this.#tries);
    this.#timer = setTimeout(() => (image.src = address), 1000 * this.#tries);
  }
}

customElements.define("heat-map", HeatMap);
