/* The tiles of a page in a scrolled window: only those in sight are in the document. */
import { layoutOf, placeOf, placesIn, scrolledTo, shownPlaces } from "./window.js";

const CAPTION = 22;
const HALF = 0.5;

export class Tiles {
  /** describe(place) -> {id, text, name, tone, selected, marked, canvas}; shown(places) is told what is in the document,
   *  looked() that other tiles are in sight. */
  constructor(holder, { describe, shown, looked = () => {} }) {
    Object.assign(this, { holder, describe, shown });
    this.inSight = new Set(); // Places of the tiles half of which or more is on screen.
    this.eye = new IntersectionObserver((entries) => this.onSight(entries, looked), { threshold: HALF });
    this.sheet = holder.querySelector(".grid-sheet");
    this.tiles = new Map();
    this.size = 96;
    this.count = 0;
    this.active = 0;
    this.layout = layoutOf({ width: 300, size: this.size, count: 0 });
    holder.addEventListener("scroll", () => this.refreshSoon(), { passive: true });
    new ResizeObserver(() => this.resize()).observe(holder);
  }

  /** Another page, from its top. */
  show(count) {
    this.count = count;
    this.active = 0;
    for (const place of [...this.tiles.keys()]) this.drop(place);
    this.holder.scrollTop = 0;
    this.resize();
  }

  resize(size = this.size) {
    this.size = size;
    const width = this.sheet.clientWidth || this.holder.clientWidth;
    this.layout = layoutOf({ width, size, count: this.count, caption: CAPTION });
    this.sheet.style.height = `${this.layout.height}px`;
    for (const [place, tile] of this.tiles) this.position(tile, place);
    this.refresh();
  }

  refreshSoon() {
    this.due ??= requestAnimationFrame(() => this.refresh());
  }

  /** Brings the document up to date with what is in sight; tiles that stay are left alone. */
  refresh() {
    cancelAnimationFrame(this.due);
    this.due = null;
    const [first, end] = shownPlaces(this.layout, this.holder.scrollTop, this.holder.clientHeight);
    for (const place of [...this.tiles.keys()]) {
      if (place < first || place >= end) this.drop(place);
    }
    const places = [];
    for (let place = first; place < end; place += 1) {
      places.push(place);
      if (!this.tiles.has(place)) this.add(place);
    }
    this.shown(places);
  }

  onSight(entries, looked) {
    for (const { target, isIntersecting } of entries) {
      const place = Number(target.dataset.place);
      // News of a tile that is gone comes late, when another one stands at its place.
      if (this.tiles.get(place) !== target) continue;
      if (isIntersecting) this.inSight.add(place);
      else this.inSight.delete(place);
    }
    looked();
  }

  drop(place) {
    const tile = this.tiles.get(place);
    this.eye.unobserve(tile);
    tile.remove();
    this.tiles.delete(place);
    this.inSight.delete(place);
  }

  add(place) {
    const tile = document.createElement("div");
    tile.className = "grid-tile";
    // It may have been scrolled out of sight and come back.
    tile.classList.toggle("active", place === this.active);
    tile.setAttribute("role", "option");
    tile.dataset.place = String(place);
    const frame = document.createElement("div");
    frame.className = "grid-frame";
    const caption = document.createElement("span");
    caption.className = "grid-caption";
    tile.append(frame, caption);
    this.position(tile, place);
    this.fill(tile, place);
    this.sheet.append(tile);
    this.tiles.set(place, tile);
    this.eye.observe(tile);
  }

  position(tile, place) {
    const { left, top } = placeOf(this.layout, place);
    tile.style.transform = `translate(${left}px, ${top}px)`;
    tile.style.width = `${this.layout.tile}px`;
    tile.style.height = `${this.layout.tile + CAPTION}px`;
    tile.firstElementChild.style.height = `${this.layout.tile}px`;
  }

  fill(tile, place) {
    const { id, text, name, tone, color, selected, marked, canvas } = this.describe(place);
    tile.id = `tile-${id}`;
    tile.dataset.crop = String(id);
    tile.dataset.tone = tone;
    tile.classList.toggle("marked", marked);
    tile.setAttribute("aria-selected", String(selected));
    tile.setAttribute("aria-label", name);
    tile.setAttribute("aria-setsize", String(this.count));
    tile.setAttribute("aria-posinset", String(place + 1));
    tile.lastElementChild.textContent = text;
    tile.lastElementChild.style.borderColor = color ?? "transparent";
    const frame = tile.firstElementChild;
    if (canvas && frame.firstElementChild !== canvas) frame.replaceChildren(canvas);
  }

  /** Writes the tiles in sight anew: what is chosen or known of them has changed. */
  redraw() {
    for (const [place, tile] of this.tiles) this.fill(tile, place);
  }

  /** Makes the tile the active one and brings it into sight. */
  activate(place) {
    this.active = place;
    if (!this.count) return this.holder.removeAttribute("aria-activedescendant");
    this.holder.scrollTop = scrolledTo(this.layout, place, this.holder.scrollTop, this.holder.clientHeight);
    this.refresh();
    for (const [at, tile] of this.tiles) tile.classList.toggle("active", at === place);
    this.holder.setAttribute("aria-activedescendant", this.tiles.get(place)?.id ?? "");
  }

  /** Place of the tile that an event happened on, or null. */
  placeAt(target) {
    const tile = target.closest?.(".grid-tile");
    return tile ? Number(tile.dataset.place) : null;
  }

  /** Places inside a box in the window's coordinates. */
  placesIn(box) {
    const own = this.sheet.getBoundingClientRect();
    return placesIn(this.layout, {
      left: box.left - own.left, right: box.right - own.left, top: box.top - own.top, bottom: box.bottom - own.top,
    });
  }
}
