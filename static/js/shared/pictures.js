/* Draws every canvas that names a crop, in the reading room's colours, once it comes into view. */
import { getBytes } from "./api.js";
import { Painter } from "./painter.js";
import { decodePixels, parseShape } from "./pixels.js";

let painter = null;
const loaded = new Map();

/** {pixels, shape, dtype, isRgb} of an address; asked for once, however many canvases show it. */
export function loadImage(url, isRgb) {
  if (!loaded.has(url)) {
    loaded.set(url, getBytes(url).then(({ buffer, headers }) => {
      const shape = parseShape(headers.get("X-Shape"));
      const dtype = headers.get("X-Dtype");
      return { pixels: decodePixels(buffer, dtype, shape), shape, dtype, isRgb };
    }));
  }
  return loaded.get(url);
}

/** The crops of the page by number, as the server describes them. */
export function readPictures() {
  return JSON.parse(document.getElementById("pictures").textContent);
}

/** Draws one canvas; the image, or null where there is none to draw. */
export async function draw(canvas, crop, url = crop.pixels) {
  if (!url) return null;
  try {
    const image = await loadImage(url, crop.is_rgb);
    painter ??= new Painter();
    painter.draw(canvas, image, crop.channels);
    canvas.dataset.state = "drawn";
    return image;
  } catch {
    canvas.dataset.state = "failed";
    return null;
  }
}

/** Watches the canvases of the page: those that nobody scrolls to cost nothing. */
export function drawInView(crops, selector = "canvas[data-crop]:not([data-context])", root = document) {
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      const crop = crops[target.dataset.crop];
      if (crop) draw(target, crop);
    }
  }, { rootMargin: "200px" });
  for (const canvas of root.querySelectorAll(selector)) watcher.observe(canvas);
}
