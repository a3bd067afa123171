// <unit-keys data-prev data-next data-grid data-layer data-unit>: arrows or k and j walk from unit to unit, u goes back
// to all of them. Walking takes the place of this page in the history, so that Back leads to where the walk began; the
// grid learns which unit was seen last (unit-grid.js).

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
