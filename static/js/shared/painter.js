/* Paints an image into a canvas: with WebGL2 where it works, else with a 2D canvas. */
import { renderRGBA } from "./render.js";
import { createGlPainter } from "./webgl.js";

function create2dPainter(canvas) {
  const pen = canvas.getContext("2d");
  return (image, channels, options) => {
    const [, height, width] = image.shape;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    pen.putImageData(new ImageData(renderRGBA(image.pixels, image.shape, channels, options), width, height), 0, 0);
    return true;
  };
}

/** A canvas that once had a WebGL context never gets a 2D one, so the fallback takes a fresh copy. */
export class Painter {
  constructor(canvas, { webgl = true } = {}) {
    this.canvas = canvas;
    this.draw_ = webgl ? createGlPainter(canvas) : null;
    this.kind = this.draw_ ? "webgl2" : "2d";
    if (!this.draw_) this.fallBack();
  }

  fallBack() {
    const fresh = this.canvas.cloneNode(false);
    this.canvas.replaceWith(fresh);
    this.canvas = fresh;
    this.draw_ = create2dPainter(fresh);
    this.kind = "2d";
  }

  /** Image: {pixels, shape, dtype, isRgb}. */
  draw(image, channels, { invert = false } = {}) {
    const options = { invert, isRgb: image.isRgb, dtype: image.dtype };
    if (this.draw_(image, channels, options)) return;
    this.fallBack();
    this.draw_(image, channels, options);
  }
}
