// <waiting-form data-words="...">: around a form whose answer takes a while; once it is sent it says so, and is not sent twice.
class WaitingForm extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.button = this.form.querySelector("button");
    this.status = document.createElement("p");
    this.status.className = "hint";
    this.status.setAttribute("role", "status");
    this.form.append(this.status);
    this.form.addEventListener("submit", () => this.wait(true));
    // A page that the browser kept comes back as it was left.
    window.addEventListener("pageshow", (event) => event.persisted && this.wait(false));
  }

  wait(waiting) {
    this.button.disabled = waiting;
    this.setAttribute("aria-busy", waiting);
    this.status.textContent = waiting ? this.dataset.words : "";
  }
}

customElements.define("waiting-form", WaitingForm);
