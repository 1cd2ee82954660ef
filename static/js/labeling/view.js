/* Draws the crop, its outline, its scale bar and its surroundings. */
import { Painter } from "../shared/painter.js";
import { scaleBar } from "../shared/scalebar.js";

const SVG = "http://www.w3.org/2000/svg";

/** Path data of a closed outline. */
export function outlinePath(points) {
  return points.length > 2 ? `M${points.map(([x, y]) => `${x} ${y}`).join("L")}Z` : "";
}

/** Four ticks that point at the middle, for crops without an outline: the object is the one in the centre. */
export function tickPath(width, height) {
  const [x, y, dx, dy] = [width / 2, height / 2, width * 0.05, height * 0.05];
  return `M${x} 0V${dy}M${x} ${height}V${height - dy}M0 ${y}H${dx}M${width} ${y}H${width - dx}`;
}

function drawPath(svg, width, height, data) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  while (svg.childElementCount < 2) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", svg.childElementCount ? "over" : "under");
    svg.append(path);
  }
  for (const path of svg.children) path.setAttribute("d", data);
}

export class View {
  constructor(find) {
    this.painter = new Painter();
    this.cropCanvas = find("crop-canvas");
    this.contextCanvas = find("context-canvas");
    this.cropOverlay = find("crop-overlay");
    this.contextOverlay = find("context-overlay");
    this.noContext = find("no-context");
    this.bar = find("scale-bar");
    this.barText = find("scale-text");
    this.line = this.bar.querySelector(".scale-line");
    this.invert = false;
  }

  /** The crop itself: what has to be there when the finger is up. */
  drawCrop(crop, image, channels) {
    const [, height, width] = image.shape;
    this.painter.draw(this.cropCanvas, image, channels, { invert: this.invert });
    drawPath(this.cropOverlay, width, height, crop.contour ? outlinePath(crop.contour) : tickPath(width, height));
    const bar = scaleBar(crop.um_per_px, width);
    this.bar.hidden = !bar;
    if (!bar) return;
    this.line.style.width = `${(100 * bar.fraction * width) / Math.max(width, height)}%`;
    this.barText.textContent = bar.label;
  }

  /** The surroundings with the crop's box; black until they are there. */
  drawContext(crop, image, channels) {
    this.noContext.hidden = Boolean(crop.context);
    this.contextOverlay.classList.toggle("off", !image);
    this.contextCanvas.classList.toggle("off", !image);
    if (!image) return;
    const [, height, width] = image.shape;
    this.painter.draw(this.contextCanvas, image, channels, { invert: this.invert });
    const [x0, y0, x1, y1] = crop.box_in_context ?? [0, 0, 0, 0];
    drawPath(this.contextOverlay, width, height, `M${x0} ${y0}H${x1}V${y1}H${x0}Z`);
  }

  /** Nothing is asked: no surroundings either. */
  clear() {
    this.contextOverlay.classList.add("off");
    this.contextCanvas.classList.add("off");
  }

  toggleOutline() {
    this.cropOverlay.classList.toggle("off");
    this.contextOverlay.classList.toggle("off");
  }
}
