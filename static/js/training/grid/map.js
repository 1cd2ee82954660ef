/* The map of the pool: a point per crop, a lasso that takes crops into the grid. */
import { getBytes, getJson } from "../../shared/api.js";
import { asText, placesInside } from "./lasso.js";
import { unpack } from "./packed.js";

const EDGE = 12;
const NEAR_PX = 4;
const LOOK_AGAIN_MS = 3000;
// As the server numbers what was answered.
const UNSURE = 2;

export class EmbeddingMap {
  /** config: urls, classes, map; taken(lasso) is told {layout, text, ids} of a lasso, or null where it is taken away. */
  constructor(find, config, taken) {
    Object.assign(this, { find, config, taken });
    this.points = find("map-points");
    this.lines = find("map-lines");
    this.layout = find("map-layout");
    this.color = find("map-color");
    this.corners = [];
    this.state = config.map;
    this.layout.addEventListener("change", () => this.load());
    this.color.addEventListener("change", () => this.draw());
    find("map-clear").addEventListener("click", () => this.clear());
    new ResizeObserver(() => this.draw()).observe(this.points);
    this.bind();
  }

  /** The panel was opened: what is there is shown, what is made is waited for. */
  async open() {
    this.tell();
    if (this.state.layouts.length && !this.data) await this.load();
    this.watch();
  }

  watch() {
    if (!this.state.work || this.state.work.is_final) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const before = this.state.layouts.join();
      this.state = await getJson(this.config.urls.grid_map_state).catch(() => this.state);
      this.tell();
      if (this.state.layouts.join() !== before) await this.load();
      this.watch();
    }, LOOK_AGAIN_MS);
  }

  tell() {
    const { work, layouts } = this.state;
    const runs = work && !work.is_final;
    this.find("map-progress").hidden = !runs;
    if (runs) this.find("map-progress").value = work.progress;
    const percent = work ? Math.round(100 * work.progress) : 0;
    const said = { queued: "The map waits for a worker.", running: `${work?.stage}, ${percent} %`, cancelled: "The map was stopped." };
    this.find("map-state").textContent = said[work?.status] ?? work?.problem ?? "";
    this.find("map-stop")?.toggleAttribute("hidden", !runs);
    this.find("map-body").hidden = !layouts.length;
    this.find("map-empty").hidden = Boolean(layouts.length);
    this.find("map-make").textContent = layouts.length ? "Make the map anew" : "Make the map";
    for (const option of this.layout.options) option.disabled = !layouts.includes(option.value);
    if (!layouts.includes(this.layout.value)) this.layout.value = layouts[0] ?? "";
  }

  async load() {
    try {
      const { buffer } = await getBytes(`${this.config.urls.grid_map}?layout=${this.layout.value}`);
      const { meta, blocks } = unpack(buffer);
      const [ids, places, predicted, state, label] = blocks.map(({ data }) => data);
      this.data = { meta, ids, places, predicted, state, label };
      this.clear();
      this.draw();
    } catch (error) {
      this.find("map-state").textContent = `The map could not be loaded: ${error.message}.`;
    }
  }

  /** Pixels of the canvas from places in the unit square. */
  scale() {
    const side = Math.min(this.points.clientWidth, this.points.clientHeight) - 2 * EDGE;
    return { side, left: (this.points.clientWidth - side) / 2, top: (this.points.clientHeight - side) / 2 };
  }

  draw() {
    if (!this.data || !this.points.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.points, this.lines]) {
      Object.assign(canvas, { width: canvas.clientWidth * ratio, height: canvas.clientHeight * ratio });
    }
    const started = performance.now();
    const pen = this.points.getContext("2d");
    pen.scale(ratio, ratio);
    const { ids, places } = this.data;
    const { side, left, top } = this.scale();
    const dot = ids.length > 20000 ? 2 : ids.length > 2000 ? 3 : 5;
    for (const [color, group] of this.groups()) {
      pen.fillStyle = color;
      for (const at of group) pen.fillRect(left + places[2 * at] * side - dot / 2, top + places[2 * at + 1] * side - dot / 2, dot, dot);
    }
    this.points.dataset.points = String(ids.length);
    this.points.dataset.drawMs = (performance.now() - started).toFixed(1);
    this.drawLasso();
  }

  /** Points by colour, so that the pen changes colour a few times only; what is coloured lies on top. */
  groups() {
    const { classes } = this.config;
    const quiet = getComputedStyle(this.points).getPropertyValue("--control");
    const colors = this.data.meta.classes.map((key) => classes.find((row) => row.key === key)?.color ?? quiet);
    const groups = new Map([[quiet, []]]);
    const strong = getComputedStyle(this.points).color;
    const colorOf = {
      predicted: (at) => colors[this.data.predicted[at]],
      label: (at) => colors[this.data.label[at]],
      unsure: (at) => (this.data.state[at] === UNSURE ? strong : quiet),
    }[this.color.value];
    for (let at = 0; at < this.data.ids.length; at += 1) {
      const color = colorOf(at) || quiet;
      if (!groups.has(color)) groups.set(color, []);
      groups.get(color).push(at);
    }
    return groups;
  }

  bind() {
    const corner = ({ offsetX, offsetY }) => {
      const { side, left, top } = this.scale();
      return [(offsetX - left) / side, (offsetY - top) / side];
    };
    this.lines.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.data) return;
      this.lines.setPointerCapture(event.pointerId);
      this.corners = [corner(event)];
      this.drawing = true;
      event.preventDefault();
    });
    this.lines.addEventListener("pointermove", (event) => {
      if (!this.drawing) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) this.corners.push(corner(part));
      this.due ??= requestAnimationFrame(() => { this.due = null; this.drawLasso(); });
    });
    this.lines.addEventListener("pointerup", () => {
      if (this.drawing) this.finish();
    });
  }

  finish() {
    this.drawing = false;
    const [first, last] = [this.corners[0], this.corners.at(-1)];
    const far = this.corners.some(([x, y]) => Math.hypot(x - first[0], y - first[1]) * this.scale().side > NEAR_PX);
    if (!far || !last) return this.clear();
    this.drawLasso();
    const places = placesInside(this.data.places, this.corners);
    this.find("map-count").textContent = `${places.length.toLocaleString("en")} crops in the lasso`;
    this.find("map-clear").hidden = false;
    this.taken({ layout: this.layout.value, text: asText(this.corners), count: places.length });
  }

  drawLasso() {
    const pen = this.lines.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.lines.clientWidth, this.lines.clientHeight);
    if (this.corners.length < 2) return;
    const { side, left, top } = this.scale();
    pen.beginPath();
    for (const [x, y] of this.corners) pen.lineTo(left + x * side, top + y * side);
    pen.closePath();
    const accent = getComputedStyle(this.lines).getPropertyValue("--accent");
    Object.assign(pen, { strokeStyle: accent, fillStyle: accent, lineWidth: 2, globalAlpha: 0.15 });
    pen.fill();
    pen.globalAlpha = 1;
    pen.stroke();
  }

  clear() {
    const had = !this.find("map-clear").hidden;
    this.corners = [];
    this.find("map-count").textContent = "";
    this.find("map-clear").hidden = true;
    this.drawLasso();
    if (had) this.taken(null);
  }
}
