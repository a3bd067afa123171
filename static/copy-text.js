// <copy-text>: adds a button that copies the text, if the browser allows that.

class CopyText extends HTMLElement {
  connectedCallback() {
    if (!navigator.clipboard) return;
    const text = this.textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button quiet small";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    this.append(" ", button);
  }
}

customElements.define("copy-text", CopyText);
