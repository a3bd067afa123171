// <job-events data-events=URL data-live=URL data-after=OFFSET [data-ended]>: keeps the parts inside it up to date.
// An event only says that something changed. The new HTML is then fetched from the server, and each [data-part] that
// differs is replaced. Without JavaScript the page stays as it was when it was loaded.

const PAUSE = 1000; // milliseconds between two fetches

class JobEvents extends HTMLElement {
  connectedCallback() {
    for (const link of this.querySelectorAll(".reload")) link.hidden = true;
    this.scrollLog();
    if (this.hasAttribute("data-ended")) return;
    this.source = new EventSource(`${this.dataset.events}?after=${this.dataset.after}`);
    for (const name of ["started", "progress", "log", "artefact", "failure", "state"]) {
      this.source.addEventListener(name, () => this.refreshSoon());
    }
    this.source.addEventListener("end", () => {
      this.source.close();
      clearInterval(this.clock);
      this.refreshSoon();
    });
    this.clock = setInterval(() => this.refreshSoon(), 10 * PAUSE); // the times shown change even if no event comes
  }

  disconnectedCallback() {
    this.source?.close();
    clearInterval(this.clock);
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  // Fetches at once, but never twice within the pause; if asked again during it, fetches once more at its end.
  refreshSoon() {
    if (this.timer !== undefined) {
      this.again = true;
      return;
    }
    this.again = false;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.again) this.refreshSoon();
    }, PAUSE);
    this.refresh();
  }

  async refresh() {
    const answer = await fetch(this.dataset.live, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return; // no answer from the server; the event source reconnects by itself
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) this.replace(part);
  }

  replace(fresh) {
    const old = this.querySelector(`[data-part="${fresh.dataset.part}"]`);
    for (const link of fresh.querySelectorAll(".reload")) link.hidden = true;
    if (!old || old.innerHTML === fresh.innerHTML) return;
    const log = old.querySelector(".log");
    const follows = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    const place = log?.scrollTop ?? 0;
    const focused = old.contains(document.activeElement);
    old.replaceChildren(...document.importNode(fresh, true).childNodes);
    if (fresh.dataset.part === "log") this.scrollLog(follows ? undefined : place);
    if (focused) (old.querySelector("button, a, [tabindex]") ?? old).focus({ preventScroll: true });
  }

  scrollLog(place) {
    const log = this.querySelector(".log");
    if (log) log.scrollTop = place ?? log.scrollHeight;
  }
}

customElements.define("job-events", JobEvents);
