// <import-watch data-job data-state>: shows the progress of a job, and reloads the page when its state changes.
const PERIOD = 1500; // milliseconds between two requests

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

  // Whether a form is being filled in: reloading the page would empty it.
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
