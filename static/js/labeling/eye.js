/* Everything that looks: channels, stage, surroundings, field; the room tells it which crop and which key. */
import { ChannelPanel } from "./channels.js";
import { Keeping } from "./keeping.js";
import { View } from "./view.js";
import { Viewer } from "./viewer.js";
import { Windows } from "./windows.js";

export class Eye {
  /** find(id) -> element; current() -> crop on screen; told(text) says something once; redraw() draws again; missing(): a picture is not found. */
  constructor({ find, user, config, token, current, told, redraw, missing = () => {} }) {
    Object.assign(this, { find, current, redraw });
    const locked = Boolean(config.locked);
    this.keeping = new Keeping({ user, url: config.urls.preferences, token });
    const keep = () => this.keeping.keep(this.windows.plain());
    this.windows = new Windows({ kept: this.keeping.local(), locked, changed: keep });
    this.view = new View(find, { windows: this.windows, locked, told, redraw, missing });
    this.panel = new ChannelPanel({ holder: find("channels"), note: find("window-note"), windows: this.windows, told, redraw: () => this.changed() });
    this.viewer = new Viewer(find("viewer-dialog"));
    this.bind();
    this.keeping.newer().then((kept) => kept && this.takeOver(kept));
  }

  takeOver(kept) {
    this.windows.restore(kept);
    this.panel.refresh();
    this.changed();
  }

  /** Draws again, once a frame however fast a slider moves. */
  changed() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.redraw();
      this.viewer.repaint();
      this.write();
    });
  }

  write() {
    const crop = this.current();
    const alone = crop && this.windows.alone(crop.channels) !== null;
    this.find("invert").setAttribute("aria-pressed", String(this.windows.invert));
    this.find("composite").setAttribute("aria-pressed", String(!alone));
    this.find("grey").setAttribute("aria-pressed", String(Boolean(alone)));
  }

  /** What the keys ask for. */
  get actions() {
    const { view, panel } = this;
    return {
      channel: (index) => panel.toggle(index),
      invert: () => panel.invert(),
      outline: () => view.toggleOutline(),
      cycle: () => panel.cycle(),
      peek: () => this.peek(true),
      field: () => this.openField(),
      zoomIn: () => view.stage.step(1),
      zoomOut: () => view.stage.step(-1),
      planeUp: () => view.planes.step(1),
      planeDown: () => view.planes.step(-1),
    };
  }

  peek(on) {
    if (this.windows.peeking === on) return;
    this.windows.peeking = on;
    this.panel.refresh();
    this.changed();
  }

  openField() {
    const crop = this.current();
    if (!crop?.field) return;
    this.viewer.show(crop.field, ({ channels }) => ({ channels: this.windows.shown(channels), invert: this.windows.invert }));
  }

  bind() {
    const { find, panel } = this;
    const clicks = {
      invert: () => panel.invert(), composite: () => panel.grey(false), grey: () => panel.grey(true),
      "window-auto": () => panel.auto(), "window-fit": () => panel.fit(), "open-field": () => this.openField(),
    };
    for (const [id, act] of Object.entries(clicks)) find(id).addEventListener("click", act);
    document.addEventListener("keyup", () => this.peek(false));
    window.addEventListener("blur", () => this.peek(false));
  }
}
