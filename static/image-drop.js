/** <image-drop data-megabytes="20">: around an upload form. An image that is chosen, pasted, or dropped anywhere on the
 *  page is sent at once, unless it is larger than that. The element in the head of every page (data-frame) leaves drops
 *  and pastes to one in the page itself, if there is one. */

class ImageDrop extends HTMLElement {
  connectedCallback() {
    this.querySelector("[data-hint]").hidden = false;
    this.querySelector("button[type=submit]").hidden = true;
    const input = this.querySelector("input[type=file]");
    input.addEventListener("change", this.#chosen);
    if (input.files.length === 1) this.#send(input.files[0]); // chosen before this script was loaded
    document.addEventListener("dragover", this.#over);
    document.addEventListener("dragleave", this.#leave);
    document.addEventListener("drop", this.#drop);
    document.addEventListener("paste", this.#paste);
  }

  disconnectedCallback() {
    document.removeEventListener("dragover", this.#over);
    document.removeEventListener("dragleave", this.#leave);
    document.removeEventListener("drop", this.#drop);
    document.removeEventListener("paste", this.#paste);
  }

  #chosen = (event) => {
    if (event.target.files.length === 1) this.#send(event.target.files[0]);
  };

  // Whether another element of the page handles the event.
  #leaves(event) {
    return event.defaultPrevented || (this.hasAttribute("data-frame") && document.querySelector("main image-drop") !== null);
  }

  #over = (event) => {
    if (!event.dataTransfer?.types.includes("Files") || this.#leaves(event)) return;
    event.preventDefault();
    this.classList.add("over");
  };

  #leave = (event) => {
    if (!event.relatedTarget) this.classList.remove("over");
  };

  #drop = (event) => {
    this.classList.remove("over");
    if (!event.dataTransfer?.types.includes("Files") || this.#leaves(event)) return;
    event.preventDefault();
    this.#send(event.dataTransfer.files[0]);
  };

  #paste = (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((candidate) => candidate.type.startsWith("image/"));
    if (file && !this.#leaves(event)) {
      event.preventDefault();
      this.#send(file);
    }
  };

  #send(file) {
    if (file.type && !file.type.startsWith("image/")) return this.#fail("This is not an image. Use a JPEG, PNG or WebP file.");
    const most = Number(this.dataset.megabytes);
    if (file.size > most * 1024 * 1024) return this.#fail(`An image may have at most ${most} MB.`);
    const transfer = new DataTransfer();
    transfer.items.add(file);
    this.querySelector("input[type=file]").files = transfer.files;
    this.querySelector("[data-hint]").textContent = "Uploading …";
    this.querySelector("form").requestSubmit();
  }

  #fail(message) {
    this.querySelector("details")?.setAttribute("open", "");
    const place = this.querySelector("[data-error]");
    place.textContent = message;
    place.hidden = false;
  }
}

customElements.define("image-drop", ImageDrop);
