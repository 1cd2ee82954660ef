/* The surroundings of the crop at three scales: loaded after the crop, for the next crop ahead, and never moved. */
import { getBytes, mayPass } from "../shared/api.js";
import { decodePixels, parseShape } from "../shared/pixels.js";
import { Prefetch } from "../shared/prefetch.js";
import { beyondPath, boxPath, dotPath, drawOverlay } from "../shared/overlay.js";

// Four pictures a frame are more than a machine without a graphics card paints: the crop goes first.
const SETTLE_MS = 120;

/** {pixels, shape, dtype} of raw pixels at an address. */
export async function loadRaw(url) {
  const { buffer, headers } = await getBytes(url);
  const shape = parseShape(headers.get("X-Shape"));
  const dtype = headers.get("X-Dtype");
  return { pixels: decodePixels(buffer, dtype, shape), shape, dtype };
}

/** Addresses to hold: the surroundings of the crop on screen, then those of the next; `context` is held elsewhere. */
export function wantedContexts(crop, next) {
  const of = (one) => (one ? [one.detail, ...(one.contexts ?? []).map(({ url }) => url)] : []);
  const held = new Set([crop?.context, next?.context]);
  return [...of(crop), ...of(next)].filter((url) => url && !held.has(url));
}

/** "64 µm" wide, or "" where the scale is unknown. */
export function widthText(crop, scale) {
  if (!crop.um_per_px) return "";
  const um = crop.um_per_px * crop.shape[2] * scale;
  return um >= 1000 ? `${Number((um / 1000).toPrecision(2))} mm` : `${Number(um.toPrecision(2))} µm`;
}

function missingText(problem) {
  return problem && mayPass(problem) ? "Could not be loaded yet." : "The original image is not there.";
}

export class Contexts {
  /** frames: elements with data-context="0".."2"; arrived() asks for everything to be drawn again; missing() when one is not found. */
  constructor(frames, { painter, arrived, missing = () => {}, load = loadRaw }) {
    this.frames = [...frames];
    this.painter = painter;
    this.pool = new Prefetch(load, { parallel: 2, arrived: (url) => this.onArrived(url, arrived, missing) });
    this.crop = null;
    this.drawnAt = -Infinity;
    for (const name of ["online", "focus"]) window.addEventListener(name, () => this.pool.retry(mayPass));
  }

  onArrived(url, arrived, missing) {
    // Not found is what a picture is whose original is away, and all that a reader sees who was removed meanwhile.
    if (this.pool.problem(url)?.status === 404) missing();
    if (this.crop && this.isShown(url)) arrived();
  }

  isShown(url) {
    return url === this.crop.detail || this.crop.contexts.some((context) => context.url === url);
  }

  /** An image that was loaded here, or null. */
  get(url) {
    const image = url ? this.pool.get(url) : null;
    if (image && this.crop) image.isRgb = this.crop.is_rgb;
    return image;
  }

  /** Another crop is drawn at once; while a slider moves over the same one, the surroundings follow a little later. */
  draw(crop, middle, channels, more) {
    clearTimeout(this.timer);
    const wait = crop === this.crop ? SETTLE_MS - (performance.now() - this.drawnAt) : 0;
    if (wait <= 0) return this.drawNow(crop, middle, channels, more);
    this.timer = setTimeout(() => this.crop === crop && this.drawNow(crop, middle, channels, more), wait);
    return undefined;
  }

  drawNow(crop, middle, channels, { invert, next }) {
    this.drawnAt = performance.now();
    this.crop = crop;
    this.pool.want(wantedContexts(crop, next));
    this.frames.forEach((frame, index) => {
      const context = crop.contexts?.[index];
      const image = context && (context.url === crop.context ? middle : this.get(context.url));
      this.drawOne(frame, crop, context, image, { channels, invert });
    });
  }

  drawOne(frame, crop, context, image, { channels, invert }) {
    const [canvas, overlay, text, caption] = ["canvas", ".overlay", ".no-context", ".context-name"].map((name) => frame.querySelector(name));
    for (const part of [canvas, overlay]) part.classList.toggle("off", !image);
    const failed = context && this.pool.problem(context.url);
    text.hidden = Boolean(context) && !failed;
    text.textContent = context ? missingText(failed) : "The crop is the whole image.";
    caption.textContent = context ? [`×${context.scale}`, widthText(crop, context.scale)].filter(Boolean).join(" · ") : "";
    if (!image) return;
    const [, height, width] = image.shape;
    image.isRgb = crop.is_rgb;
    this.painter.draw(canvas, image, channels, { invert });
    const layers = { beyond: beyondPath(context.inside, width, height), line: boxPath(context.box), dot: context.scale < 4 ? dotPath(context.dot) : "" };
    drawOverlay(overlay, [0, 0, width, height], layers);
  }

  clear() {
    this.crop = null;
    for (const frame of this.frames) {
      for (const part of frame.querySelectorAll("canvas, .overlay")) part.classList.add("off");
      frame.querySelector(".context-name").textContent = "";
      frame.querySelector(".no-context").hidden = true;
    }
  }

  showMarks(on) {
    for (const frame of this.frames) frame.querySelector(".overlay").classList.toggle("unmarked", !on);
  }
}
