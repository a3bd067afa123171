// <upload-drop>: files that are dropped on it go into its file input; it says how many they are, and how large.
// With data-send it accepts one file, dropped anywhere on the page, and sends it at once.
class UploadDrop extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input[type=file]");
    this.status = this.querySelector("[data-status]");
    this.sends = this.hasAttribute("data-send");
    // On the whole page it must handle the drop before the image form in the head of the page does.
    const [place, first] = this.sends ? [document, true] : [this, false];
    place.addEventListener("dragover", (event) => this.over(event, true), first);
    place.addEventListener("dragleave", (event) => this.over(event, false), first);
    place.addEventListener("drop", (event) => this.take(event), first);
    this.input.addEventListener("change", () => this.tell());
    if (this.input.files.length) this.tell(); // chosen before this script was loaded
  }

  over(event, inside) {
    event.preventDefault();
    this.classList.toggle("over", inside);
  }

  take(event) {
    this.over(event, false);
    if (!event.dataTransfer.files.length) return;
    const taken = new DataTransfer();
    for (const file of [...event.dataTransfer.files].slice(0, this.input.multiple ? undefined : 1)) taken.items.add(file);
    this.input.files = taken.files;
    this.tell();
  }

  tell() {
    const files = [...this.input.files];
    const megabytes = files.reduce((sum, file) => sum + file.size, 0) / 1e6;
    if (this.sends && files.length) {
      this.status.textContent = `${files[0].name}, ${megabytes.toFixed(1)} MB: being sent and read … Just after the start of the server this waits until the reader is up.`;
      this.input.form.requestSubmit();
      return;
    }
    this.status.textContent = `${files.length} ${files.length === 1 ? "file" : "files"}, ${megabytes.toFixed(1)} MB`;
  }
}

customElements.define("upload-drop", UploadDrop);
