/* Draws every canvas that names a crop, in the reading room's colours, once it comes into view. */
import { getBytes, mayPass } from "./api.js";
import { Painter } from "./painter.js";
import { decodePixels, parseShape } from "./pixels.js";

// More than a page shows at once; a dozen channels of surroundings are a megabyte and a half.
export const MOST_KEPT = 128;
let painter = null;
const loaded = new Map();

async function fetchImage(url, isRgb) {
  const { buffer, headers } = await getBytes(url);
  const shape = parseShape(headers.get("X-Shape"));
  const dtype = headers.get("X-Dtype");
  return { pixels: decodePixels(buffer, dtype, shape), shape, dtype, isRgb };
}

/**
 * {pixels, shape, dtype, isRgb} of an address; asked for once, however many canvases show it. Those used last are kept;
 * what failed is asked for again the next time.
 */
export function loadImage(url, isRgb) {
  const image = loaded.get(url) ?? fetchImage(url, isRgb);
  loaded.delete(url);
  loaded.set(url, image);
  image.catch(() => loaded.get(url) === image && loaded.delete(url));
  if (loaded.size > MOST_KEPT) loaded.delete(loaded.keys().next().value);
  return image;
}

/** What to say of a picture that did not come. */
export function whyMissing(error) {
  return mayPass(error) ? "could not be loaded, try again" : "are not there: the original image is away";
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
  } catch (error) {
    canvas.dataset.state = mayPass(error) ? "waiting" : "failed";
    return null;
  }
}

/** Watches the canvases of the page: those that nobody scrolls to cost nothing, and one that failed gets another try. */
export function drawInView(crops, selector = "canvas[data-crop]:not([data-context])", root = document) {
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      const crop = crops[target.dataset.crop];
      if (crop) draw(target, crop).then((image) => image && watcher.unobserve(target));
    }
  }, { rootMargin: "200px" });
  for (const canvas of root.querySelectorAll(selector)) watcher.observe(canvas);
}
