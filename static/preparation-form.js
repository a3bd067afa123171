// <preparation-form>: choosing a preparation fills in its values; editing one chooses the option "the values below".
const FIELDS = ["side", "resize", "colour", "range", "normalise", "mean", "std"];

class PreparationForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => this.#changed(event.target));
    this.addEventListener("input", (event) => this.#edited(event.target));
  }

  #changed(target) {
    if (target.name === "preparation") {
      if (target.value === "own") this.querySelector("details").open = true;
      else for (const name of FIELDS) this.querySelector(`[name=${name}]`).value = target.dataset[name];
    } else this.#edited(target);
  }

  #edited(target) {
    if (FIELDS.includes(target.name)) this.querySelector("[name=preparation][value=own]").checked = true;
  }
}

customElements.define("preparation-form", PreparationForm);
