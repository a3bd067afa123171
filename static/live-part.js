// <live-part id=ID data-every=MILLISECONDS>: fetches this page again and again, and replaces this element's content by
// that of the fetched page. It ends when the fetched element has no data-every, and pauses while the page is hidden or
// the focus is inside.

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
