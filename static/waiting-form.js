// <waiting-form data-words="...">: around a form whose answer takes a while. Once it is sent, it shows the words and
// cannot be sent twice.
class WaitingForm extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.button = this.form.querySelector("button");
    this.status = document.createElement("p");
    this.status.className = "hint";
    this.status.setAttribute("role", "status");
    this.form.append(this.status);
    this.form.addEventListener("submit", () => this.wait(true));
    // After Back, the browser may show the page as it was left: let the form be sent again.
    window.addEventListener("pageshow", (event) => event.persisted && this.wait(false));
  }

  wait(waiting) {
    this.button.disabled = waiting;
    this.setAttribute("aria-busy", waiting);
    this.status.textContent = waiting ? this.dataset.words : "";
  }
}

customElements.define("waiting-form", WaitingForm);
