// <live-part id=ID data-every=MILLISECONDS>: shows what the server draws in this place of this page, again and again.
// It goes on for as long as the fresh copy says so too (its data-every), and rests while no one looks.

class LivePart extends HTMLElement {
  connectedCallback() {
    if (this.dataset.every) this.timer = setTimeout(() => this.refresh(), Number(this.dataset.every));
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  async refresh() {
    if (!document.hidden && !this.contains(document.activeElement)) {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
      if (answer?.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(this.id);
        if (!fresh) return;
        if (fresh.innerHTML !== this.innerHTML) this.replaceChildren(...document.importNode(fresh, true).childNodes);
        this.dataset.every = fresh.dataset.every ?? "";
      }
    }
    if (this.isConnected) this.connectedCallback();
  }
}

customElements.define("live-part", LivePart);
