/* A whole field or slide to zoom into: raw tiles from the server, painted here, so that windows change at no request. */
import { dotPath, drawOverlay, outlinePath } from "../shared/overlay.js";
import { objectiveText, scaleBar } from "../shared/scalebar.js";
import { loadRaw } from "./contexts.js";

const MOST_TILES = 96;
const RING_PX = 26;

const STYLE_MARK = "data-openseadragon-mobile-css";

let library = null;

/** The library adds a style sheet unless one is there, which the page's policy forbids: an inert element stands in. */
function standInForStyle() {
  if (document.querySelector(`style[${STYLE_MARK}]`)) return;
  const inert = document.createElementNS("urn:parfocal:inert", "style");
  inert.setAttribute(STYLE_MARK, "");
  document.head.append(inert);
}

/** The OpenSeadragon library, asked for once and only when somebody looks at a field. */
export function loadLibrary(src) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.addEventListener("load", () => resolve(globalThis.OpenSeadragon));
    script.addEventListener("error", () => {
      library = null;
      script.remove();
      reject(new Error("the viewer's library could not be loaded"));
    });
    document.head.append(script);
  });
  return library;
}

/** Address of a tile: the library counts levels up to full size, the server down from it. */
export function tileUrl({ tiles, version, levels }, level, column, row) {
  return `${tiles}${levels - 1 - level}/${column}/${row}/?v=${version}`;
}

/** Path of a ring of the given radius around a point. */
export function ringPath([x, y], radius) {
  return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
}

export class DeepZoom {
  /** parts: {holder, overlay, bar, line, text, power}; painter as for the crop; arrived() and failed(error) tell of tiles. */
  constructor(library, parts, { painter, arrived = () => {}, failed = () => {} }) {
    Object.assign(this, { library, parts, painter, arrived, failed });
    this.tiles = new Map();
    this.viewer = null;
  }

  /** Shows the field with its object marked; style() gives {channels, invert} whenever something is painted. */
  open(field, style) {
    this.close();
    Object.assign(this, { field, style });
    standInForStyle();
    this.viewer = this.library({
      element: this.parts.holder, drawer: "canvas", showNavigationControl: false, prefixUrl: "",
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.25, blendTime: 0, immediateRender: false,
      maxImageCacheCount: MOST_TILES, minZoomImageRatio: 0.8, maxZoomPixelRatio: 16, visibilityRatio: 0.6,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true }, tileSources: [this.source()],
      imageLoaderLimit: 4, timeout: 60000,
    });
    for (const name of ["open", "update-viewport", "resize", "animation"]) this.viewer.addHandler(name, () => this.mark());
  }

  source() {
    const { width, height, tile_px: tileSize, levels } = this.field;
    const source = new this.library.TileSource({ width, height, tileSize, tileOverlap: 0, minLevel: 0, maxLevel: levels - 1 });
    return Object.assign(source, {
      getTileUrl: (level, column, row) => tileUrl(this.field, level, column, row),
      hasTransparency: () => false,
      downloadTileStart: (job) => this.load(job),
      downloadTileAbort: () => {},
    });
  }

  async load(job) {
    try {
      const image = await loadRaw(job.src);
      image.isRgb = this.field.is_rgb;
      const canvas = document.createElement("canvas");
      this.paint(canvas, image);
      this.keep(canvas, image);
      job.finish(canvas.getContext("2d"), null, "context2d");
      this.arrived();
    } catch (error) {
      this.failed(error);
      job.fail(error.message, null);
    }
  }

  keep(canvas, image) {
    if (this.tiles.size >= MOST_TILES) this.sweep();
    this.tiles.set(canvas, image);
  }

  /** Forgets the pixels of the tiles that the library let go: it empties their canvas. */
  sweep() {
    for (const canvas of this.tiles.keys()) if (!canvas.width) this.tiles.delete(canvas);
  }

  paint(canvas, image) {
    const { channels, invert } = this.style();
    this.painter.draw(canvas, image, channels, { invert });
  }

  /** Paints the tiles that are here again, in other windows; asks the server for nothing. */
  repaint() {
    this.sweep();
    for (const [canvas, image] of this.tiles) this.paint(canvas, image);
    this.viewer?.forceRedraw();
  }

  /** Place of a point of the image on the overlay, in CSS pixels. */
  place([x, y]) {
    const at = this.viewer.viewport.imageToViewerElementCoordinates(new this.library.Point(x, y));
    return [Number(at.x.toFixed(2)), Number(at.y.toFixed(2))];
  }

  mark() {
    if (!this.viewer?.world.getItemCount()) return;
    const { holder, overlay } = this.parts;
    const dot = this.place(this.field.dot);
    const line = this.field.contour ? outlinePath(this.field.contour.map((point) => this.place(point))) : "";
    overlay.dataset.dot = dot.join(",");
    drawOverlay(overlay, [0, 0, holder.clientWidth, holder.clientHeight], { line: line + ringPath(dot, RING_PX), dot: dotPath(dot) });
    this.writeScale();
  }

  writeScale() {
    const { viewport } = this.viewer;
    const onScreen = (this.field.um_per_px ?? 0) / viewport.viewportToImageZoom(viewport.getZoom(true));
    const width = this.parts.holder.clientWidth;
    const bar = scaleBar(onScreen, width, 0.2);
    this.parts.bar.hidden = !bar;
    this.parts.power.textContent = objectiveText(onScreen);
    if (!bar) return;
    this.parts.line.style.width = `${Math.round(bar.fraction * width)}px`;
    this.parts.text.textContent = bar.label;
  }

  /** The whole field. */
  home() {
    this.viewer?.viewport.goHome();
  }

  /** The object in the middle, with a few crops' room around it. */
  toObject() {
    if (!this.viewer) return;
    const [x0, y0, x1, y1] = this.field.box;
    const [width, height] = [x1 - x0, y1 - y0];
    const around = this.viewer.world.getItemAt(0)?.imageToViewportRectangle(x0 - width, y0 - height, 3 * width, 3 * height);
    if (around) this.viewer.viewport.fitBounds(around);
  }

  zoomBy(factor) {
    this.viewer?.viewport.zoomBy(factor);
    this.viewer?.viewport.applyConstraints();
  }

  close() {
    this.viewer?.destroy();
    this.viewer = null;
    this.tiles.clear();
  }
}
