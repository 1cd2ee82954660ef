/* The surroundings of a crop beside the pointer: held by a right click or a key, passing while the mouse is still. */
import { loadImage, whyMissing } from "../../shared/pictures.js";
import { Painter } from "../../shared/painter.js";

const ROOM = 16;

export class Popup {
  constructor(holder, address) {
    Object.assign(this, { holder, address });
    this.canvas = holder.querySelector("canvas");
    this.text = holder.querySelector("p");
    this.painter = new Painter({ webgl: false });
    this.held = false;
    holder.querySelector("button").addEventListener("click", () => this.hide());
  }

  get isOpen() {
    return !this.holder.hidden;
  }

  async show(crop, display, point, { held = true, text = "" } = {}) {
    this.held = held;
    this.crop = crop.id;
    this.holder.hidden = false;
    this.text.textContent = text;
    this.canvas.hidden = true;
    this.move(point);
    try {
      const image = await loadImage(this.address.replace("/0/", `/${crop.id}/`), display.is_rgb);
      if (this.crop !== crop.id) return;
      this.painter.draw(this.canvas, image, display.channels);
      this.canvas.hidden = false;
      this.mark(image.shape);
    } catch (error) {
      if (this.crop === crop.id) this.text.textContent = `${text} The surroundings ${whyMissing(error)}.`;
    }
    this.move(point);
  }

  /** A frame around the crop: the middle quarter of its surroundings. */
  mark([, height, width]) {
    const pen = this.canvas.getContext("2d");
    for (const [color, line] of [["#000", 3], ["#fff", 1]]) {
      Object.assign(pen, { strokeStyle: color, lineWidth: line });
      pen.strokeRect(width * 0.375, height * 0.375, width / 4, height / 4);
    }
  }

  move({ x, y }) {
    const { offsetWidth: width, offsetHeight: height } = this.holder;
    const left = x + ROOM + width > window.innerWidth ? x - ROOM - width : x + ROOM;
    this.holder.style.left = `${Math.max(8, left)}px`;
    this.holder.style.top = `${Math.max(8, Math.min(y, window.innerHeight - height - 8))}px`;
  }

  hide({ passing = false } = {}) {
    if (passing && this.held) return;
    this.holder.hidden = true;
    this.crop = null;
  }
}
