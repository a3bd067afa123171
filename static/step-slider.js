// <step-slider>: adds a slider to the links to the steps of a training; moving it shows the <main> of that step's page.
// Each page is fetched only once, so that moving back and forth needs no waiting.

class StepSlider extends HTMLElement {
  static pages = new Map();

  connectedCallback() {
    const links = [...this.querySelectorAll("a[href]")];
    if (links.length < 2 || this.querySelector("input")) return;
    const slider = document.createElement("input");
    slider.type = "range";
    slider.max = String(links.length - 1);
    slider.value = String(links.findIndex((link) => link.ariaCurrent));
    slider.setAttribute("aria-label", "Step of the training");
    slider.setAttribute("aria-valuetext", links[Number(slider.value)]?.textContent ?? "");
    slider.addEventListener("input", () => this.show(links[Number(slider.value)].href));
    this.append(slider);
  }

  async show(address) {
    StepSlider.wanted = address;
    if (!StepSlider.pages.has(address)) {
      const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
      if (!answer?.ok) return location.assign(address);
      StepSlider.pages.set(address, await answer.text());
    }
    if (StepSlider.wanted !== address) return; // another step was chosen meanwhile
    const page = new DOMParser().parseFromString(StepSlider.pages.get(address), "text/html");
    history.replaceState(null, "", address);
    document.querySelector("main").replaceChildren(...document.importNode(page.querySelector("main"), true).childNodes);
    document.querySelector("step-slider input")?.focus();
  }
}

customElements.define("step-slider", StepSlider);
