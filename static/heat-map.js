// <heat-map><img></heat-map>: asks again, a few times, for a heat map that the server was too busy to draw.

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
