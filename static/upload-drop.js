// <upload-drop>: files dropped on it go into its file input; it says how many were chosen and how large they are.
class UploadDrop extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input[type=file]");
    this.status = this.querySelector("[data-status]");
    this.addEventListener("dragover", (event) => this.over(event, true));
    this.addEventListener("dragleave", (event) => this.over(event, false));
    this.addEventListener("drop", (event) => this.take(event));
    this.input.addEventListener("change", () => this.tell());
  }

  over(event, inside) {
    event.preventDefault();
    this.classList.toggle("over", inside);
  }

  take(event) {
    this.over(event, false);
    if (!event.dataTransfer.files.length) return;
    this.input.files = event.dataTransfer.files;
    this.tell();
  }

  tell() {
    const files = [...this.input.files];
    const megabytes = files.reduce((sum, file) => sum + file.size, 0) / 1e6;
    this.status.textContent = `${files.length} ${files.length === 1 ? "file" : "files"}, ${megabytes.toFixed(1)} MB`;
  }
}

customElements.define("upload-drop", UploadDrop);
