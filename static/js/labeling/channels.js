/* The channel panel: which channels are on, in which window. A window holds for a whole experiment. */
import { fittedWindow, histogram, histogramPath, plane, sliderRange } from "../shared/pixels.js";
import { short } from "../shared/text.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 28;

/** Windows that differ from the server's, kept per experiment: crops of one experiment come with one window. */
export class Windows {
  constructor() {
    this.changes = new Map();
    this.chosen = new Map();
  }

  static key(channels) {
    return channels.map(({ name, low, high }) => `${name}|${low}|${high}`).join("/");
  }

  /** The channels as they are to be drawn: [{name, color, low, high, on}]. */
  shown(channels) {
    const changed = this.changes.get(Windows.key(channels)) ?? [];
    return channels.map((channel, index) => ({ ...channel, ...changed[index], on: this.isOn(channel) }));
  }

  change(channels, index, ends) {
    const key = Windows.key(channels);
    const changed = [...(this.changes.get(key) ?? [])];
    changed[index] = { ...changed[index], ...ends };
    this.changes.set(key, changed);
  }

  isChanged(channels) {
    return this.changes.has(Windows.key(channels));
  }

  reset(channels) {
    this.changes.delete(Windows.key(channels));
  }

  /** The reader's choice, else the server's: a channel that quality control faults starts switched off. */
  isOn({ name, on = true }) {
    return this.chosen.get(name) ?? on;
  }

  toggle(channel) {
    this.chosen.set(channel.name, !this.isOn(channel));
  }
}

function element(tag, attributes = {}, children = []) {
  const made = tag in { svg: 1, path: 1, line: 1, rect: 1 } ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export class ChannelPanel {
  constructor({ holder, note, windows, redraw }) {
    Object.assign(this, { holder, note, windows, redraw });
    this.signature = null;
    this.rows = [];
  }

  /** Shows the channels of this crop; rows are built again only when the channels are others. */
  show(crop, image) {
    this.crop = crop;
    this.image = image;
    const signature = crop.is_rgb ? "rgb" : Windows.key(crop.channels);
    if (signature !== this.signature) this.build(signature);
    this.refresh();
    if (!crop.is_rgb) this.drawShapes();
  }

  build(signature) {
    this.signature = signature;
    this.rows = this.crop.is_rgb ? [] : this.crop.channels.map((channel, index) => this.row(channel, index));
    this.holder.replaceChildren(...this.rows.map(({ root }) => root));
  }

  row(channel, index) {
    const range = sliderRange(channel, this.crop.dtype);
    const swatch = element("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" }, [
      element("rect", { width: 12, height: 12, rx: 3, fill: channel.color }),
    ]);
    const name = element("span", { class: "name" }, [channel.name]);
    const keys = index < 9 ? [element("kbd", {}, [`⇧${index + 1}`])] : [];
    const toggle = element("button", { type: "button", class: "channel-toggle" }, [swatch, name, ...keys]);
    toggle.addEventListener("click", () => this.toggle(index));
    const path = element("path");
    const marks = [element("line", { y1: 0, y2: HEIGHT }), element("line", { y1: 0, y2: HEIGHT })];
    const box = { class: "shape", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    const ends = ["low", "high"].map((end) => this.slider(channel.name, index, end, range));
    const shape = element("svg", box, [path, ...marks]);
    const root = element("div", { class: "channel" }, [toggle, shape, ...ends.map((end) => end.root)]);
    return { root, toggle, path, marks, ends, range };
  }

  slider(channelName, index, end, range) {
    const input = element("input", { type: "range", ...range, "aria-label": `${channelName}: ${end} end of the window` });
    const output = element("output");
    input.addEventListener("input", () => this.slide(index, end, Number(input.value)));
    return { root: element("div", { class: "ends" }, [element("span", {}, [end]), input, output]), input, output };
  }

  slide(index, end, value) {
    const now = this.windows.shown(this.crop.channels)[index];
    const step = this.rows[index].range.step;
    const low = end === "low" ? value : Math.min(now.low, value - step);
    const high = end === "high" ? value : Math.max(now.high, value + step);
    const ends = { low, high };
    this.windows.change(this.crop.channels, index, ends);
    this.changed();
  }

  toggle(index) {
    const channel = this.crop && !this.crop.is_rgb && this.crop.channels[index];
    if (!channel) return;
    this.windows.toggle(channel);
    this.changed();
  }

  auto() {
    if (!this.crop) return;
    this.windows.reset(this.crop.channels);
    this.changed();
  }

  /** Fits every window to this crop alone. */
  fit() {
    if (!this.crop || this.crop.is_rgb) return;
    this.crop.channels.forEach((_, index) => {
      this.windows.change(this.crop.channels, index, fittedWindow(plane(this.image.pixels, this.image.shape, index)));
    });
    this.changed();
  }

  changed() {
    this.refresh();
    this.redraw();
  }

  refresh() {
    const { crop, windows } = this;
    const same = windows.isChanged(crop.channels) ? "yours, for this experiment" : "the same across the experiment";
    this.note.textContent = crop.is_rgb ? "A colour image, shown as it is." : `window: ${same}`;
    windows.shown(crop.channels).forEach((channel, index) => {
      if (this.rows[index]) this.refreshRow(this.rows[index], channel);
    });
  }

  refreshRow({ toggle, marks, ends, range }, channel) {
    toggle.setAttribute("aria-pressed", String(channel.on));
    ["low", "high"].forEach((end, at) => {
      ends[at].input.value = String(channel[end]);
      ends[at].output.textContent = short(channel[end]);
      const x = (WIDTH * (channel[end] - range.min)) / (range.max - range.min);
      marks[at].setAttribute("x1", x);
      marks[at].setAttribute("x2", x);
    });
  }

  drawShapes() {
    const { pixels, shape } = this.image;
    this.rows.forEach(({ path, range }, index) => {
      path.setAttribute("d", histogramPath(histogram(plane(pixels, shape, index), range.min, range.max), WIDTH, HEIGHT));
    });
  }
}
