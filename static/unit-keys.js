// <unit-keys data-prev data-next data-grid data-layer data-unit>: the arrow keys, or k and j, lead to the previous and
// the next unit, u to the grid of all units. A move from unit to unit replaces the entry in the history, so that Back
// leads to the page before the first unit. The last unit is stored for unit-grid.js.

class UnitKeys extends HTMLElement {
  #press = (event) => this.#walk(event);

  connectedCallback() {
    document.addEventListener("keydown", this.#press);
    const { layer, unit } = this.dataset;
    sessionStorage.setItem(`unit:${layer}`, unit);
    this.querySelector(".keys")?.removeAttribute("hidden");
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#press);
  }

  #walk(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    const { prev, next, grid, layer } = this.dataset;
    if (event.key === "u") {
      event.preventDefault();
      window.location.assign(sessionStorage.getItem(`grid:${layer}`) || grid);
      return;
    }
    const place = { ArrowLeft: prev, k: prev, ArrowRight: next, j: next }[event.key];
    if (!place) return;
    event.preventDefault();
    window.location.replace(place);
  }
}

customElements.define("unit-keys", UnitKeys);
