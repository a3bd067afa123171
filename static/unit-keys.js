// <unit-keys data-prev data-next data-grid>: arrows or k and j walk from unit to unit, u goes back to all of them.

class UnitKeys extends HTMLElement {
  #press = (event) => this.#walk(event);

  connectedCallback() {
    document.addEventListener("keydown", this.#press);
    this.querySelector(".keys")?.removeAttribute("hidden");
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#press);
  }

  #walk(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    const { prev, next, grid } = this.dataset;
    const place = { ArrowLeft: prev, k: prev, ArrowRight: next, j: next, u: grid }[event.key];
    if (!place) return;
    event.preventDefault();
    window.location.assign(place);
  }
}

customElements.define("unit-keys", UnitKeys);
