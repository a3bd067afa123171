/** <came-back>: when the visitor comes back (or forward) to a page, the link that was followed there is focused and
 *  marked. The browser restores the scroll position by itself, because pages are whole when they arrive. */

class CameBack extends HTMLElement {
  connectedCallback() {
    document.addEventListener("click", this.#leave);
    window.addEventListener("pageshow", this.#arrive);
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.#leave);
    window.removeEventListener("pageshow", this.#arrive);
  }

  #leave = (event) => {
    const link = event.target.closest?.("main a[href]");
    if (!link) return;
    const same = this.#links(link.getAttribute("href"));
    history.replaceState({ ...history.state, left: link.getAttribute("href"), place: same.indexOf(link) }, "");
  };

  #arrive = (event) => {
    const back = event.persisted || performance.getEntriesByType("navigation")[0]?.type === "back_forward";
    const { left, place } = history.state ?? {};
    if (!back || left === undefined) return;
    const link = this.#links(left)[place ?? 0];
    if (!link) return;
    link.focus({ preventScroll: true });
    link.classList.add("came-back");
    link.addEventListener("blur", () => link.classList.remove("came-back"), { once: true });
  };

  #links(href) {
    return [...document.querySelectorAll("main a[href]")].filter((link) => link.getAttribute("href") === href);
  }
}

customElements.define("came-back", CameBack);
