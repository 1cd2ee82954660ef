/* The whole field around the crop: in a dialog over the room, or as a page of its own. */
import { getJson } from "../shared/api.js";
import { keyNames } from "../shared/keys.js";
import { Painter } from "../shared/painter.js";
import { DeepZoom, loadLibrary } from "./deepzoom.js";

/** Reason in words for somebody who wanted to see the field. */
export function failure(error) {
  if (error.status === 404) return `${error.message.replace(/\.$/, "")}.`;
  return `The field cannot be shown: ${error.message.replace(/\.$/, "")}.`;
}

export class Viewer {
  /** root: the element with the parts; data-library is the address of the library. */
  constructor(root, painter = null) {
    this.root = root;
    this.painter = painter;
    this.state = root.querySelector(".viewer-state");
    this.zoom = null;
    this.bind();
  }

  part(name) {
    return this.root.querySelector(`.viewer-${name}`);
  }

  bind() {
    const acts = { whole: "home", object: "toObject" };
    for (const [name, act] of Object.entries(acts)) this.part(name).addEventListener("click", () => this.zoom?.[act]());
    this.part("in").addEventListener("click", () => this.zoom?.zoomBy(Math.SQRT2));
    this.part("out").addEventListener("click", () => this.zoom?.zoomBy(Math.SQRT1_2));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.part("close")?.addEventListener("click", () => this.root.close());
    this.root.addEventListener("close", () => this.clear());
  }

  onKey(event) {
    const acts = { "+": () => this.zoom?.zoomBy(Math.SQRT2), "-": () => this.zoom?.zoomBy(Math.SQRT1_2), o: () => this.zoom?.toObject(), h: () => this.zoom?.home() };
    if (this.root.close) acts.f = () => this.root.close();
    const name = keyNames(event).find((key) => acts[key]);
    if (!name) return;
    event.preventDefault();
    acts[name]();
  }

  say(text) {
    this.state.textContent = text;
    this.state.hidden = !text;
  }

  /** Opens the dialog, if it is one, and shows the field of the crop; style(field) gives {channels, invert}. */
  async show(url, style) {
    this.root.showModal?.();
    this.url = url;
    this.say("Fetching the field …");
    try {
      const [field, library] = await Promise.all([getJson(url), loadLibrary(this.root.dataset.library)]);
      if (this.url === url) this.start(field, library, style);
    } catch (error) {
      if (this.url === url) this.say(failure(error));
    }
  }

  start(field, library, style) {
    this.painter ??= new Painter();
    const names = { holder: "holder", overlay: "marks", bar: "bar", line: "line", text: "text", power: "power" };
    const parts = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, this.part(name)]));
    const tell = { arrived: () => this.say(""), failed: (error) => this.say(failure(error)) };
    this.zoom ??= new DeepZoom(library, parts, { painter: this.painter, ...tell });
    this.zoom.open(field, () => style(field));
    this.part("facts").textContent = `${field.width} × ${field.height} px`;
  }

  repaint() {
    if (this.zoom?.viewer) this.zoom.repaint();
  }

  clear() {
    this.url = null;
    this.zoom?.close();
    this.part("marks").replaceChildren();
  }
}
