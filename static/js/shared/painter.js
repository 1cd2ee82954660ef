/* Paints images into canvases: computed with WebGL2 where it works, else in JavaScript. */
import { renderRGBA } from "./render.js";
import { createGlRenderer } from "./webgl.js";

// Of so few values the picture is computed here sooner than it comes back from the graphics card.
export const FEW_VALUES = 2 ** 17;

/**
 * The visible canvases are plain 2D ones and share one hidden WebGL canvas: a lost graphics context then leaves the
 * picture on screen, and the next one is computed without it.
 */
export class Painter {
  /** `fewest`: images of fewer values are left to JavaScript. */
  constructor({ webgl = true, fewest = FEW_VALUES } = {}) {
    this.fewest = fewest;
    this.render = webgl ? createGlRenderer(document.createElement("canvas")) : null;
  }

  /** Image: {pixels, shape, dtype, isRgb}; channels: [{color, low, high, on}]. */
  draw(canvas, image, channels, { invert = false } = {}) {
    const [, height, width] = image.shape;
    const options = { invert, isRgb: image.isRgb, dtype: image.dtype };
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d", { alpha: false });
    const picture = image.pixels.length < this.fewest ? null : this.render?.(image, channels, options);
    if (picture) pen.drawImage(picture, 0, 0);
    else pen.putImageData(new ImageData(renderRGBA(image.pixels, image.shape, channels, options), width, height), 0, 0);
    canvas.dataset.painter = picture ? "webgl2" : "2d";
  }
}
