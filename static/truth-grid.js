// <truth-grid data-truth=URL>: the two lines over the picture can be dragged, or moved with the arrow keys. The table
// below is updated from the JSON of the truth, and the address of the page keeps the positions. Without JavaScript the
// form does the same.

const NEAR = 14; // screen pixels from a line within which it can be dragged
const STEP = 4; // image pixels by which an arrow key moves a line; with Shift four times as many

class TruthGrid extends HTMLElement {
  connectedCallback() {
    this.picture = this.querySelector(".truth-picture");
    this.svg = this.picture.querySelector("svg");
    this.size = { x: this.svg.viewBox.baseVal.width, y: this.svg.viewBox.baseVal.height };
    this.lines = { x: this.querySelector('[data-line="x"]'), y: this.querySelector('[data-line="y"]') };
    this.at = {};
    for (const axis of ["x", "y"]) {
      this.at[axis] = Number(this.lines[axis].firstElementChild.getAttribute(`${axis}1`));
      this.#describe(axis);
      this.lines[axis].addEventListener("keydown", (event) => this.#key(event, axis));
    }
    this.picture.addEventListener("pointerdown", this.#down);
    this.picture.addEventListener("pointermove", this.#over);
    const hint = this.querySelector("[data-drag]");
    if (hint) hint.hidden = false;
    const button = this.querySelector("form button");
    if (button) button.hidden = true;
    this.input = this.querySelector('input[name="lines"]');
    this.input?.form.addEventListener("submit", this.#submit);
    this.input?.addEventListener("change", this.#submit);
  }

  #describe(axis) {
    const line = this.lines[axis];
    line.setAttribute("tabindex", "0");
    line.setAttribute("role", "slider");
    line.setAttribute("aria-label", axis === "x" ? "upright line" : "level line");
    line.setAttribute("aria-orientation", axis === "x" ? "horizontal" : "vertical");
    line.setAttribute("aria-valuemin", "0");
    line.setAttribute("aria-valuemax", String(this.size[axis]));
    line.setAttribute("aria-valuenow", String(Math.round(this.at[axis])));
  }

  #place(event) {
    const box = this.svg.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * this.size.x, y: ((event.clientY - box.top) / box.height) * this.size.y };
  }

  #near(event) {
    const place = this.#place(event);
    const scale = this.svg.getBoundingClientRect().width / this.size.x;
    return ["x", "y"].filter((axis) => Math.abs(place[axis] - this.at[axis]) * scale <= NEAR);
  }

  #over = (event) => {
    const near = this.held ?? this.#near(event);
    for (const axis of ["x", "y"]) this.picture.classList.toggle(`over-${axis}`, near.includes(axis));
    if (this.held) {
      const place = this.#place(event);
      this.#move(Object.fromEntries(this.held.map((axis) => [axis, Math.round(place[axis])])));
    }
  };

  #down = (event) => {
    const near = this.#near(event);
    if (event.button !== 0 || near.length === 0) return;
    event.preventDefault();
    this.held = near;
    this.lines[near[0]].focus({ preventScroll: true });
    this.picture.setPointerCapture(event.pointerId);
    const up = () => {
      this.held = undefined;
      for (const name of ["pointerup", "pointercancel"]) this.picture.removeEventListener(name, up);
    };
    for (const name of ["pointerup", "pointercancel"]) this.picture.addEventListener(name, up);
  };

  #key(event, axis) {
    const ways = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
    const [along, way] = ways[event.key] ?? [];
    if (along !== axis) return;
    event.preventDefault();
    event.stopPropagation(); // on this page arrow keys also lead to other images
    this.#move({ [axis]: this.at[axis] + way * (event.shiftKey ? 4 * STEP : STEP) });
  }

  #submit = (event) => {
    const [x, y] = this.input.value.split(",").map(Number);
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    event.preventDefault();
    this.#move({ x, y });
  };

  #move(to) {
    for (const [axis, value] of Object.entries(to)) {
      this.at[axis] = Math.min(Math.max(value, 0), this.size[axis]);
      for (const end of ["1", "2"]) this.lines[axis].firstElementChild.setAttribute(axis + end, this.at[axis]);
      this.lines[axis].setAttribute("aria-valuenow", String(Math.round(this.at[axis])));
    }
    if (this.input) this.input.value = `${this.at.x},${this.at.y}`;
    const detail = { ...this.at, width: this.size.x, height: this.size.y };
    this.dispatchEvent(new CustomEvent("truth-lines", { bubbles: true, detail }));
    this.#ask();
  }

  // Sends one request at a time. If lines moved meanwhile, one more follows, with their latest positions.
  async #ask() {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    do {
      this.again = false;
      const lines = `${this.at.x},${this.at.y}`;
      try {
        const answer = await fetch(`${this.dataset.truth}?lines=${lines}&objects=false`);
        if (answer.ok) this.#show(await answer.json());
      } catch {
        // No answer from the server: the table stays as it was.
      }
      const address = new URL(location.href);
      address.searchParams.set("lines", lines);
      history.replaceState(history.state, "", address.href.replaceAll("%2C", ","));
    } while (this.again);
    this.asking = false;
  }

  #show(truth) {
    for (const name of ["present", "fractional"]) {
      for (const [kind, whole] of Object.entries(truth[name])) {
        const tiles = truth.tiles.map((tile) => tile[name][kind]);
        const sum = tiles.reduce((total, value) => total + value, 0);
        [whole, ...tiles].forEach((value, index) => this.#write(`${name} ${kind} ${index}`, value));
        this.#write(`${name} ${kind} sum`, sum)?.classList.toggle("off", Math.abs(sum - whole) > 1e-6);
      }
    }
  }

  #write(key, value) {
    const cell = this.querySelector(`[data-count="${key}"]`);
    if (!cell) return undefined;
    const whole = Math.round(value);
    cell.textContent = Math.abs(value - whole) < 1e-6 ? String(whole) : value.toFixed(2);
    if (!cell.classList.contains("sum")) cell.classList.toggle("zero", value === 0);
    return cell;
  }
}

customElements.define("truth-grid", TruthGrid);
