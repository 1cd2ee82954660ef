/* Planes of a stack: the crop as the maximum over all of them, or one at a time. */

/** Plane after so many steps; null is the maximum, which stands before the first plane. */
export function steppedPlane(plane, step, depth) {
  const place = (plane === null ? 0 : plane + 1) + step;
  const held = Math.min(depth, Math.max(0, place));
  return held ? held - 1 : null;
}

/** "z 3 of 7", or what the maximum is. */
export function planeText(plane, depth) {
  return plane === null ? `max of ${depth} planes` : `z ${plane + 1} of ${depth}`;
}

/** Address of the crop's pixels in one plane. */
export function planeUrl(crop, plane) {
  return plane === null ? crop.pixels : `${crop.pixels}${crop.pixels.includes("?") ? "&" : "?"}z=${plane}`;
}

export class ZSlider {
  /** load(url) -> Promise of an image; changed() draws again; told(text) says something once. */
  constructor(find, { load, changed, told }) {
    Object.assign(this, { load, changed, told });
    this.root = find("z-slider");
    this.text = find("z-text");
    this.crop = null;
    this.plane = null;
    this.images = new Map();
    find("z-up").addEventListener("click", () => this.step(1));
    find("z-down").addEventListener("click", () => this.step(-1));
    find("crop-frame").addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  onWheel(event) {
    if (!event.altKey || !this.crop) return;
    event.preventDefault();
    this.step(event.deltaY > 0 ? 1 : -1);
  }

  /** The image to draw for this crop: `image`, or the plane that was chosen once it is here. */
  imageOf(crop, image) {
    if (crop.id !== this.crop?.id) {
      this.crop = crop;
      this.plane = null;
      this.images.clear();
      this.write();
    }
    return this.plane === null ? image : (this.images.get(this.plane) ?? image);
  }

  async step(by) {
    const { crop } = this;
    if (!crop || crop.depth < 2) return;
    this.plane = steppedPlane(this.plane, by, crop.depth);
    this.write();
    const { plane } = this;
    if (plane !== null && !this.images.has(plane)) {
      try {
        const image = await this.load(planeUrl(crop, plane));
        if (this.crop !== crop) return;
        this.images.set(plane, Object.assign(image, { isRgb: crop.is_rgb }));
      } catch (error) {
        // Another plane that was chosen meanwhile stays.
        if (this.crop !== crop || this.plane !== plane) return;
        this.plane = null;
        this.told(`Plane ${plane + 1} cannot be shown: ${error.message}`);
        this.write();
      }
    }
    this.changed();
  }

  write() {
    const depth = this.crop?.depth ?? 1;
    this.root.hidden = depth < 2;
    this.text.textContent = planeText(this.plane, depth);
  }
}
