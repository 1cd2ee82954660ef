/* Pixels of many crops in few requests, painted once each with the reading room's renderer. */
import { getBytes } from "../../shared/api.js";
import { waitAfter } from "../../shared/outbox.js";
import { Painter } from "../../shared/painter.js";
import { unpack } from "./packed.js";

const AT_ONCE = 64;
const PARALLEL = 3;
const SIDES = [64, 128, 256, 512];

/** The smallest of a few sides that fills so many pixels of the screen: few sides, so that few things are loaded. */
export function sideFor(px) {
  return SIDES.find((side) => side >= px) ?? SIDES.at(-1);
}

export class Pictures {
  /** changed() is called when crops were painted, and when some did not come. */
  constructor(url, changed) {
    Object.assign(this, { url, changed });
    // A texture per small picture costs more than to compute it: the renderer without a graphics card.
    this.painter = new Painter({ webgl: false });
    this.clear();
  }

  clear() {
    this.canvases = new Map();
    this.queue = [];
    this.known = new Map();
    this.begin();
  }

  /** Forgets requests that are under way, and what became of earlier ones. */
  begin() {
    clearTimeout(this.timer);
    this.loading = 0;
    this.run = (this.run ?? 0) + 1;
    Object.assign(this, { timer: null, failures: 0, lacking: new Set() });
  }

  /** How many crops were asked for and did not come. */
  get missing() {
    return this.lacking.size;
  }

  /** Another page: its crops with their displays, in the order in which they are wanted. */
  show(crops, displays, side) {
    if (this.side !== side) this.clear();
    this.begin();
    this.side = side;
    this.displays = displays;
    this.known = new Map(crops.map((crop) => [crop.id, crop]));
    for (const id of this.canvases.keys()) if (!this.known.has(id)) this.canvases.delete(id);
    this.queue = crops.map(({ id }) => id).filter((id) => !this.canvases.has(id));
    this.pump();
  }

  /** These first: they are on screen. */
  want(ids) {
    const first = new Set(ids);
    this.queue = [...this.queue.filter((id) => first.has(id)), ...this.queue.filter((id) => !first.has(id))];
  }

  get(id) {
    return this.canvases.get(id) ?? null;
  }

  pump() {
    if (this.timer !== null) return;
    while (this.loading < PARALLEL && this.queue.length) this.load(this.queue.splice(0, AT_ONCE), this.run);
  }

  async load(ids, run) {
    this.loading += 1;
    try {
      const { buffer } = await getBytes(`${this.url}?crops=${ids.join(",")}&side=${this.side}`);
      if (run !== this.run) return;
      const { meta, blocks } = unpack(buffer);
      meta.crops.forEach((id, at) => this.paint(id, blocks[at]));
      this.failures = 0;
    } catch {
      if (run !== this.run) return;
      this.putBack(ids);
    }
    // Crops that the server left out of its reply are lacking as well.
    for (const id of ids) this.lacking[this.canvases.has(id) ? "delete" : "add"](id);
    this.loading -= 1;
    this.pump();
    this.changed();
  }

  /** What did not come is asked for again behind the others; requests that fail together count once. */
  putBack(ids) {
    this.queue.push(...ids.filter((id) => !this.canvases.has(id)));
    if (this.timer !== null) return;
    this.failures += 1;
    this.timer = setTimeout(() => this.retry(), waitAfter(this.failures));
  }

  /** Asks again at once for what did not come: the line may be back. */
  retry() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.pump();
  }

  paint(id, { data, shape, dtype }) {
    const crop = this.known.get(id);
    if (!crop) return;
    const display = this.displays[crop.display];
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    this.painter.draw(canvas, { pixels: data, shape, dtype, isRgb: display.is_rgb }, display.channels);
    this.canvases.set(id, canvas);
  }
}
