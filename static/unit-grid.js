// <unit-grid data-layer>: marks the unit that was visited last. After Back the browser restores the scroll position;
// after the key u on the page of a unit (unit-keys.js), the grid scrolls to that unit.

class UnitGrid extends HTMLElement {
  #shown = () => this.#mark();

  connectedCallback() {
    const { layer } = this.dataset;
    sessionStorage.setItem(`grid:${layer}`, window.location.pathname + window.location.search);
    window.addEventListener("pageshow", this.#shown);
    const last = this.#mark();
    const [entry] = performance.getEntriesByType("navigation");
    if (last && entry?.type === "navigate") last.scrollIntoView({ block: "nearest" });
  }

  disconnectedCallback() {
    window.removeEventListener("pageshow", this.#shown);
  }

  #mark() {
    const unit = sessionStorage.getItem(`unit:${this.dataset.layer}`);
    let last = null;
    for (const tile of this.querySelectorAll("[data-unit]")) {
      const here = tile.dataset.unit === unit;
      tile.classList.toggle("here", here);
      const link = tile.querySelector("a");
      if (here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      if (here) last = tile;
    }
    return last;
  }
}

customElements.define("unit-grid", UnitGrid);
