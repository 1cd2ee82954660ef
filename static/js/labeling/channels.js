/* The channel panel: which channels are on, in which colour, window and gamma. */
import { printed } from "../shared/keys.js";
import { fittedWindow, histogram, histogramPath, plane, sliderRange } from "../shared/pixels.js";
import { short } from "../shared/text.js";
import { LOCKED, Windows } from "./windows.js";

export { Windows } from "./windows.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 28;
const GAMMA = { min: 0.2, max: 3, step: 0.05 };
// With more channels the sliders wait behind a click, so that all names are in sight.
const MOST_OPEN = 3;

function element(tag, attributes = {}, children = []) {
  const made = tag in { svg: 1, path: 1, line: 1, rect: 1 } ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export class ChannelPanel {
  constructor({ holder, note, windows, redraw, told = () => {} }) {
    Object.assign(this, { holder, note, windows, redraw, told });
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
    this.holder.parentElement.dataset.rgb = String(this.crop.is_rgb);
    this.rows = this.crop.is_rgb ? [] : this.crop.channels.map((channel, index) => this.row(channel, index));
    this.holder.replaceChildren(...this.rows.map(({ root }) => root));
    this.printKeys(this.keys);
  }

  printKeys(map) {
    this.keys = map;
    this.rows.forEach(({ key }, index) => {
      key.textContent = printed(map?.keyOf(`channel:${index + 1}`) ?? "");
      key.hidden = !key.textContent;
    });
  }

  row(channel, index) {
    const range = sliderRange(channel, this.crop.dtype);
    const color = element("input", { type: "color", class: "channel-color", "aria-label": `${channel.name}: colour`, title: "Colour" });
    color.addEventListener("input", () => this.act(() => this.windows.recolor(this.crop.channels[index], color.value)));
    const name = element("span", { class: "name" }, [channel.name]);
    const key = element("kbd", { hidden: "" });
    const toggle = element("button", { type: "button", class: "channel-toggle", title: channel.name }, [name, key]);
    toggle.addEventListener("click", () => this.toggle(index));
    const path = element("path");
    const marks = [element("line", { y1: 0, y2: HEIGHT }), element("line", { y1: 0, y2: HEIGHT })];
    const box = { class: "shape", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    const ends = Object.fromEntries([["low", range], ["high", range], ["gamma", GAMMA]].map(([end, sides]) => [end, this.slider(channel.name, index, end, sides)]));
    const more = element("details", { class: "adjust" }, [
      element("summary", { "aria-label": `${channel.name}: window and gamma` }, [element("svg", box, [path, ...marks])]),
      ...Object.values(ends).map((end) => end.root),
    ]);
    more.open = this.crop.channels.length <= MOST_OPEN;
    const root = element("div", { class: "channel" }, [color, toggle, more]);
    return { root, color, toggle, key, path, marks, ends, range };
  }

  slider(channelName, index, end, { min, max, step }) {
    const label = end === "gamma" ? `${channelName}: gamma` : `${channelName}: ${end} end of the window`;
    const input = element("input", { type: "range", min, max, step, "aria-label": label, "data-end": end });
    const output = element("output");
    input.addEventListener("input", () => this.slide(index, end, Number(input.value)));
    return { root: element("div", { class: "ends" }, [element("span", {}, [end]), input, output]), input, output };
  }

  slide(index, end, value) {
    const now = this.windows.settings(this.crop.channels)[index];
    const step = this.rows[index].range.step;
    const low = end === "low" ? value : Math.min(now.low, value - step);
    const high = end === "high" ? value : Math.max(now.high, value + step);
    this.act(() => this.windows.change(this.crop.channels, index, end === "gamma" ? { gamma: value } : { low, high }));
  }

  /** Every change goes through here: a locked view says so and stays. */
  act(change) {
    if (this.windows.locked) this.told(LOCKED);
    else if (this.crop) change();
    this.refresh();
    this.redraw();
  }

  toggle(index) {
    const channel = this.crop && !this.crop.is_rgb && this.crop.channels[index];
    if (!channel) return;
    const alone = this.windows.alone(this.crop.channels) !== null;
    this.act(() => (alone ? this.windows.showAlone(this.crop.channels, index) : this.windows.toggle(channel)));
  }

  /** Composite, then each channel alone in grey. */
  cycle() {
    if (this.crop && !this.crop.is_rgb) this.act(() => this.windows.cycle(this.crop.channels));
  }

  grey(on) {
    if (this.crop && !this.crop.is_rgb) this.act(() => this.windows.showAlone(this.crop.channels, on ? 0 : null));
  }

  invert() {
    this.act(() => this.windows.toggleInvert());
  }

  auto() {
    this.act(() => this.windows.reset(this.crop.channels));
  }

  /** Fits every window to this crop alone. */
  fit() {
    if (!this.crop || this.crop.is_rgb) return;
    this.act(() => {
      this.crop.channels.forEach((_, index) => {
        this.windows.change(this.crop.channels, index, fittedWindow(plane(this.image.pixels, this.image.shape, index)));
      });
    });
  }

  refresh() {
    const { crop, windows } = this;
    if (!crop) return;
    const alone = windows.alone(crop.channels);
    this.note.textContent = crop.is_rgb ? "A colour image, shown as it is." : this.noteText(alone);
    const shown = windows.shown(crop.channels);
    windows.settings(crop.channels).forEach((channel, index) => {
      if (this.rows[index]) this.refreshRow(this.rows[index], channel, shown[index].on);
    });
  }

  noteText(alone) {
    const { crop, windows } = this;
    if (windows.locked) return "window: locked, the same for everybody";
    if (windows.peeking) return "window: as the experiment has it, as long as the key is held";
    const window = windows.isChanged(crop.channels) ? "window: yours, for this experiment" : "window: the same across the experiment";
    return alone === null ? window : `${crop.channels[alone].name} alone, in grey · ${window}`;
  }

  refreshRow({ color, toggle, marks, ends, range }, channel, on) {
    toggle.setAttribute("aria-pressed", String(on));
    color.value = channel.color;
    for (const end of ["low", "high", "gamma"]) {
      ends[end].input.value = String(channel[end]);
      ends[end].output.textContent = short(channel[end]);
    }
    ["low", "high"].forEach((end, at) => {
      const x = Math.min(WIDTH, Math.max(0, (WIDTH * (channel[end] - range.min)) / (range.max - range.min)));
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
