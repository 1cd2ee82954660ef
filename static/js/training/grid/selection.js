/* Which tiles of a page are chosen, by their places from 0 on; knows no page. */

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export class Selection {
  constructor(count = 0) {
    this.reset(count);
  }

  /** Another page: nothing is chosen, the first tile is the active one. */
  reset(count) {
    this.count = count;
    this.chosen = new Set();
    this.active = 0;
    this.anchor = 0;
  }

  get size() {
    return this.chosen.size;
  }

  has(place) {
    return this.chosen.has(place);
  }

  /** Places that are chosen, in order. */
  places() {
    return [...this.chosen].sort((a, b) => a - b);
  }

  /** Places that are not, in order: in "exceptions", the ones that are confirmed. */
  others() {
    return Array.from({ length: this.count }, (_, place) => place).filter((place) => !this.chosen.has(place));
  }

  only(place) {
    this.chosen = new Set([place]);
    this.active = this.anchor = place;
  }

  toggle(place) {
    if (!this.chosen.delete(place)) this.chosen.add(place);
    this.active = this.anchor = place;
  }

  /** From the tile that was clicked last to this one, both included; `keep` adds to what is chosen. */
  range(place, { keep = false } = {}) {
    const [from, to] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    if (!keep) this.chosen = new Set();
    for (let at = from; at <= to; at += 1) this.chosen.add(at);
    this.active = place;
  }

  /** A click: plain, with shift, or with ctrl or cmd. Where `toggles`, a plain click turns one tile round. */
  click(place, { shift = false, more = false, toggles = false } = {}) {
    if (shift) this.range(place, { keep: more || toggles });
    else if (more || toggles) this.toggle(place);
    else this.only(place);
  }

  /** A rubber band over these places, on top of what was chosen before it began. */
  band(places, before = []) {
    this.chosen = new Set([...before, ...places]);
  }

  all() {
    this.chosen = new Set(Array(this.count).keys());
  }

  none() {
    this.chosen = new Set();
  }

  invert() {
    this.chosen = new Set(this.others());
  }

  /** Moves the active tile by a key; with `extend` everything from the anchor on is chosen. Stays inside. */
  move(key, columns, { extend = false } = {}) {
    this.active = movedPlace(this.active, key, columns, this.count);
    if (extend) this.range(this.active);
    else this.anchor = this.active;
    return this.active;
  }
}

/** Place that a key leads to in a grid of so many columns; the same place where there is none. */
export function movedPlace(place, key, columns, count) {
  const rows = { ArrowDown: columns, ArrowUp: -columns, Home: -place, End: count - 1 - place };
  const page = { PageDown: columns * 4, PageUp: -columns * 4 };
  const next = place + (STEPS[key] ?? rows[key] ?? page[key] ?? 0);
  if (key in page) return Math.min(Math.max(next, 0), Math.max(count - 1, 0));
  return next >= 0 && next < count ? next : place;
}
