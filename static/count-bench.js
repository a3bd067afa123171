/** <count-bench>: while the crop slider moves, its square is shown on the image and its place on the curve; when it is
 *  released, the bench of that crop opens. The same crops are plain links below it. */

class CountBench extends HTMLElement {
  connectedCallback() {
    const slider = this.querySelector("[data-area]");
    if (!slider) return;
    this.crops = new Map();
    for (const link of this.querySelectorAll("[data-area-box]")) {
      const [area, ...edges] = link.dataset.areaBox.split(" ").map(Number);
      this.crops.set(area.toFixed(2), { href: link.href, edges });
    }
    slider.addEventListener("input", () => this.#show(slider));
    slider.addEventListener("change", (event) => {
      event.stopPropagation();
      const crop = this.crops.get(Number(slider.value).toFixed(2));
      if (crop) window.location.assign(crop.href);
    });
  }

  #show(slider) {
    const area = Number(slider.value);
    const percent = `${Math.round(100 * area)} %`;
    this.querySelector("[data-area-text]").textContent = percent;
    const crop = this.crops.get(area.toFixed(2));
    const frame = this.querySelector("[data-preview]");
    if (crop && frame) {
      const [x0, y0, x1, y1] = crop.edges;
      for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) {
        frame.setAttribute(name, value);
      }
    }
    this.#mark(percent, (area - Number(slider.min)) / (slider.max - slider.min));
  }

  #mark(text, share) {
    const plot = this.querySelector("#curve .plot");
    if (!plot) return;
    let marker = plot.querySelector(".marker");
    if (!marker) {
      marker = document.createElement("span");
      marker.className = "marker";
      marker.append(document.createElement("b"));
      plot.append(marker);
    }
    marker.classList.toggle("left", share > 0.6);
    marker.style.left = `${100 * share}%`;
    marker.querySelector("b").textContent = text;
  }
}

customElements.define("count-bench", CountBench);
