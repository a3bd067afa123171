// <import-watch data-job data-state>: follows an import and shows the page anew when it ends.
const PERIOD = 1500; // milliseconds

class ImportWatch extends HTMLElement {
  connectedCallback() {
    this.timer = setInterval(() => this.look(), PERIOD);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  async look() {
    if (document.hidden) return;
    const answer = await fetch(this.dataset.job).catch(() => null);
    if (!answer?.ok) return;
    const job = await answer.json();
    if (job.state !== this.dataset.state && !this.typing()) location.reload();
    this.tell(job);
  }

  // Nobody likes a form that empties itself.
  typing() {
    return document.activeElement?.closest("form") !== null || document.querySelector("input[type=file]")?.files.length > 0;
  }

  tell(job) {
    const bar = this.querySelector("progress");
    if (bar && job.progress !== null) bar.value = job.progress;
    const figure = this.querySelector(".progress-figure");
    if (figure && job.progress !== null) figure.textContent = `${Math.round(100 * job.progress)} %`;
    const step = this.querySelector("[data-step]");
    if (step && job.total) step.textContent = `${job.step.toLocaleString("en")} of ${job.total.toLocaleString("en")} images`;
  }
}

customElements.define("import-watch", ImportWatch);
