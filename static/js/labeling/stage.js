/* The crop on its stage: picture, outline and dot, scale bar, zoom and pan. */
import { objectiveText, scaleBar } from "../shared/scalebar.js";
import { CLICK_PX, WHOLE, panned, transformOf, visibleBox, wheelFactor, zoomedAt } from "../shared/zoom.js";
import { beyondPath, dotPath, drawOverlay, outlinePath, tickPath } from "../shared/overlay.js";
import { LOCKED } from "./windows.js";

const STEP = Math.SQRT2;

export class Stage {
  constructor(find, { painter, locked, told }) {
    Object.assign(this, { painter, locked, told });
    this.frame = find("crop-frame");
    this.canvas = find("crop-canvas");
    this.overlay = find("crop-overlay");
    this.bar = find("scale-bar");
    this.barText = find("scale-text");
    this.line = this.bar.querySelector(".scale-line");
    this.power = find("zoom-text");
    this.view = WHOLE;
    this.crop = null;
    this.pointers = new Map();
    this.bind(find);
  }

  /** Paints the crop; another crop keeps the zoom and comes back to the middle. */
  draw(crop, image, channels, invert) {
    this.painter.draw(this.canvas, image, channels, { invert });
    if (this.crop?.id !== crop.id) this.view = { ...WHOLE, zoom: this.view.zoom };
    this.crop = crop;
    this.place();
  }

  /** Puts picture, outline and scale where the view says; paints nothing. */
  place() {
    if (!this.crop) return;
    const [, height, width] = this.crop.shape;
    this.canvas.style.transform = transformOf(this.view);
    const line = this.crop.contour ? outlinePath(this.crop.contour) : tickPath(width, height);
    const layers = { beyond: beyondPath(this.crop.inside, width, height), line, dot: dotPath(this.crop.dot) };
    drawOverlay(this.overlay, visibleBox(this.view, width, height), layers);
    this.frame.dataset.zoom = this.view.zoom.toFixed(2);
    this.frame.classList.toggle("zoomed", this.view.zoom > 1);
    this.writeScale(width, height);
  }

  writeScale(width, height) {
    const side = Math.max(width, height) / this.view.zoom;
    const bar = scaleBar(this.crop.um_per_px, side);
    this.bar.hidden = !bar;
    const onScreen = this.frame.clientWidth ? (this.crop.um_per_px * side) / this.frame.clientWidth : 0;
    const zoom = this.view.zoom > 1 ? `zoom ${Number(this.view.zoom.toPrecision(2))}` : "";
    this.power.textContent = [objectiveText(onScreen), zoom].filter(Boolean).join(" · ");
    if (!bar) return;
    this.line.style.width = `${(bar.fraction * this.frame.clientWidth).toFixed(1)}px`;
    this.barText.textContent = bar.label;
  }

  /** By a factor, around a point of the frame (0..1). */
  zoom(factor, point) {
    this.move(zoomedAt(this.view, factor, point));
  }

  step(direction) {
    this.zoom(direction > 0 ? STEP : 1 / STEP);
  }

  reset() {
    this.move(WHOLE);
  }

  move(view) {
    if (this.locked) return this.told(LOCKED);
    this.view = view;
    return this.place();
  }

  showMarks(on) {
    this.overlay.classList.toggle("unmarked", !on);
  }

  bind(find) {
    const { frame } = this;
    frame.classList.toggle("locked", this.locked);
    frame.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.onDown(event));
    frame.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, (event) => this.onUp(event));
    frame.addEventListener("dblclick", (event) => !event.target.closest("button, a") && this.reset());
    const clicks = { "zoom-in": () => this.step(1), "zoom-out": () => this.step(-1), "zoom-reset": () => this.reset() };
    for (const [id, act] of Object.entries(clicks)) {
      find(id).addEventListener("click", act);
      find(id).hidden = this.locked;
    }
    find("view-locked").hidden = !this.locked;
    new ResizeObserver(() => this.place()).observe(frame);
  }

  pointOf({ clientX, clientY }) {
    const box = this.frame.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  onWheel(event) {
    if (event.altKey || event.defaultPrevented || !this.crop) return;
    event.preventDefault();
    this.zoom(wheelFactor(event), this.pointOf(event));
  }

  onDown(event) {
    if (event.button !== 0 || event.target.closest("button, a, input") || !this.crop) return;
    this.pointers.set(event.pointerId, { at: this.pointOf(event), x: event.clientX, y: event.clientY, moved: false });
  }

  onMove(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    pointer.moved ||= Math.hypot(event.clientX - pointer.x, event.clientY - pointer.y) >= CLICK_PX;
    if (!pointer.moved) return;
    if (!this.frame.hasPointerCapture(event.pointerId)) this.frame.setPointerCapture(event.pointerId);
    const at = this.pointOf(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(pointer.at, at, other.at);
    else if (this.view.zoom > 1) this.move(panned(this.view, at[0] - pointer.at[0], at[1] - pointer.at[1]));
    pointer.at = at;
  }

  pinch(before, now, still) {
    const apart = ([x, y]) => Math.max(0.02, Math.hypot(x - still[0], y - still[1]));
    this.zoom(apart(now) / apart(before), [(now[0] + still[0]) / 2, (now[1] + still[1]) / 2]);
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
  }
}
