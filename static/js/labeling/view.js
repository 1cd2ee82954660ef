/* Draws what there is to see of a crop: the crop itself, or one of its planes, and its surroundings. */
import { Painter } from "../shared/painter.js";
import { Contexts, loadRaw } from "./contexts.js";
import { Stage } from "./stage.js";
import { ZSlider } from "./zslider.js";

export { outlinePath, tickPath } from "../shared/overlay.js";

export class View {
  /** windows tells whether light and dark are exchanged; told(text) says something once; redraw() draws again; missing(): a picture is not found. */
  constructor(find, { windows, locked, told, redraw, missing }) {
    this.windows = windows;
    this.painter = new Painter();
    this.stage = new Stage(find, { painter: this.painter, locked, told });
    this.planes = new ZSlider(find, { load: loadRaw, changed: redraw, told });
    this.contexts = new Contexts(document.querySelectorAll("[data-context]"), { painter: this.painter, arrived: redraw, missing });
    this.marks = true;
  }

  /** The crop itself: what has to be there when the finger is up. */
  drawCrop(crop, image, channels) {
    const shown = this.planes.imageOf(crop, image);
    const sharpest = shown === image ? (this.contexts.get(crop.detail) ?? image) : shown;
    this.stage.draw(crop, sharpest, channels, this.windows.invert);
  }

  /** The surroundings with the crop's box. `middle` is the image that was loaded ahead; `next` comes after this crop. */
  drawContext(crop, middle, channels, next = null) {
    this.contexts.draw(crop, middle, channels, { invert: this.windows.invert, next });
  }

  /** Nothing is asked: no surroundings either. */
  clear() {
    this.contexts.clear();
  }

  /** Shows or hides outline, dot and boxes. */
  toggleOutline() {
    this.marks = !this.marks;
    this.stage.showMarks(this.marks);
    this.contexts.showMarks(this.marks);
  }
}
