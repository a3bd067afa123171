/** <region-select data-form data-width data-height>: dragging over the image draws a square box. Its corners, in the
 *  image's own pixels, are put into the form's field `box`, and the form is sent. Escape cancels the drag. Without
 *  JavaScript the corners can be typed. */

const SVG = "http://www.w3.org/2000/svg";
const SMALLEST = 8; // image pixels; smaller boxes are ignored

class RegionSelect extends HTMLElement {
  #start = null;
  #rect = null;

  connectedCallback() {
    this.addEventListener("pointerdown", this.#begin);
    this.addEventListener("pointermove", this.#move);
    this.addEventListener("pointerup", this.#end);
    this.addEventListener("pointercancel", this.#cancel);
    document.addEventListener("keydown", this.#key);
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#key);
  }

  #at(event) {
    const frame = this.getBoundingClientRect();
    const width = Number(this.dataset.width);
    const height = Number(this.dataset.height);
    const x = ((event.clientX - frame.left) / frame.width) * width;
    const y = ((event.clientY - frame.top) / frame.height) * height;
    return { x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) };
  }

  #box(event) {
    const { x, y } = this.#at(event);
    const right = x >= this.#start.x;
    const down = y >= this.#start.y;
    const roomX = right ? Number(this.dataset.width) - this.#start.x : this.#start.x;
    const roomY = down ? Number(this.dataset.height) - this.#start.y : this.#start.y;
    const side = Math.min(Math.max(Math.abs(x - this.#start.x), Math.abs(y - this.#start.y)), roomX, roomY);
    return { x: right ? this.#start.x : this.#start.x - side, y: down ? this.#start.y : this.#start.y - side, side };
  }

  #begin = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    this.setPointerCapture(event.pointerId);
    this.#start = this.#at(event);
    this.#rect = document.createElementNS(SVG, "rect");
    this.#rect.classList.add("drawn");
    this.querySelector("svg").append(this.#rect);
  };

  #move = (event) => {
    if (!this.#start) return;
    const { x, y, side } = this.#box(event);
    for (const [name, value] of Object.entries({ x, y, width: side, height: side })) this.#rect.setAttribute(name, value);
  };

  #end = (event) => {
    if (!this.#start) return;
    const { x, y, side } = this.#box(event);
    this.#start = null;
    if (side < SMALLEST) return this.#cancel();
    const form = document.getElementById(this.dataset.form);
    form.elements.box.value = [x, y, x + side, y + side].map((edge) => Math.round(edge)).join(",");
    form.requestSubmit();
  };

  #cancel = () => {
    this.#start = null;
    this.#rect?.remove();
    this.#rect = null;
  };

  #key = (event) => {
    if (event.key === "Escape") this.#cancel();
  };
}

customElements.define("region-select", RegionSelect);
