/* The reading room: binds keys, buttons, the session and the picture together. */
import { getBytes, getJson, postBeacon, postJson } from "../shared/api.js";
import { actionFor, classKey, isTyping } from "../shared/keys.js";
import { Outbox } from "../shared/outbox.js";
import { decodePixels, parseShape } from "../shared/pixels.js";
import { Prefetch } from "../shared/prefetch.js";
import { createStore } from "../shared/store.js";
import { Eye } from "./eye.js";
import { Session } from "./session.js";
import { StatusBar } from "./statusbar.js";
import { bindTabs } from "./tabs.js";
import { windowLog } from "./windows.js";

const find = (id) => document.getElementById(id);
const main = find("main");
const config = JSON.parse(find("room-config").textContent);
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
const buttons = [...document.querySelectorAll("[data-class]")];
const classNames = new Map(config.classes.map(({ key, name }) => [key, name]));

async function loadImage(url) {
  const { buffer, headers } = await getBytes(url);
  const crop = session.known().find(({ pixels }) => pixels === url);
  const shape = crop?.shape ?? parseShape(headers.get("X-Shape"));
  const dtype = crop?.dtype ?? headers.get("X-Dtype");
  return { pixels: decodePixels(buffer, dtype, shape), shape, dtype };
}

const outbox = new Outbox({
  send: ({ url, body }) => postJson(url, body, token),
  store: createStore(`parfocal.outbox.${main.dataset.user}.${config.study}.`),
  changed: () => status.refresh(),
  saved: (item, reply) => {
    session.absorb(reply);
    if (!session.current && !session.queue.length) session.refill();
    main.dataset.saved = String(Number(main.dataset.saved) + (item.kind === "answer" ? 1 : 0));
  },
  refused: (item, error) => {
    session.refused(item);
    status.tell(`${item.kind === "undo" ? "Not undone" : "An answer was not taken"}: ${error.message}`);
  },
});
const pool = new Prefetch(loadImage, { arrived: (url) => onArrived(url) });
const session = new Session({
  config,
  outbox,
  pool,
  api: {
    next: (count) => getJson(`${config.urls.next}?count=${count}`),
    undo: (body) => postJson(config.urls.undo, body, token),
    ranking: async () => (await getJson(config.urls.ranking)).ranking,
  },
  events: {
    shown: (crop, before) => onShown(crop, before),
    changed: () => status.refresh(),
    told: (text) => status.tell(text),
  },
});
const eye = new Eye({
  find, config, token, user: main.dataset.user,
  current: () => session.current, told: (text) => status.tell(text), redraw: () => draw(),
});
const { windows, view, panel } = eye;
const status = new StatusBar({ find, main, session, outbox, pool, classNames, blind: config.blind });

function imageOf(crop, url) {
  const image = pool.get(url);
  if (image) image.isRgb = crop.is_rgb;
  return image;
}

/** Draws what is there; the crop first, everything else one frame later. */
function draw() {
  const crop = session.current;
  const image = crop && imageOf(crop, crop.pixels);
  if (!image) return false;
  const channels = windows.shown(crop.channels);
  view.drawCrop(crop, image, channels);
  requestAnimationFrame(() => {
    if (session.current === crop) drawContext(crop);
  });
  return true;
}

function drawContext(crop) {
  view.drawContext(crop, imageOf(crop, crop.context), windows.shown(crop.channels), session.queue[0]);
}

function onShown(crop, before) {
  main.dataset.cropId = crop ? String(crop.id) : "";
  for (const button of buttons) button.classList.toggle("before", before?.classes?.includes(button.dataset.class) ?? false);
  if (!crop) view.clear();
  if (!crop || !showImage(crop)) main.dataset.state = "loading";
  status.refresh();
}

function showImage(crop) {
  if (!draw()) return false;
  main.dataset.state = "ready";
  session.markShown();
  requestAnimationFrame(() => {
    // A frame's callbacks run before it is painted; the first task after them sees it on screen.
    setTimeout(measurePaint);
    if (session.current === crop) panel.show(crop, pool.get(crop.pixels));
  });
  return true;
}

function measurePaint() {
  if (!performance.getEntriesByName("answer-key").length) return;
  performance.measure("key-to-paint", "answer-key");
  performance.clearMarks("answer-key");
}

function onArrived(url) {
  const crop = session.current;
  if (!crop) return;
  if (url === crop.pixels && main.dataset.state !== "ready") showImage(crop);
  else if (url === crop.context) drawContext(crop);
  status.refresh();
}

function flash(button) {
  if (!button) return;
  button.classList.add("flash");
  setTimeout(() => button.classList.remove("flash"), 80);
}

function answer(kind, classes, button) {
  performance.mark("answer-key");
  const crop = session.current;
  const window = crop ? windowLog(windows.shown(crop.channels)) : [];
  session.note = find("note").value.trim();
  if (!session.answer(kind, classes, window)) {
    performance.clearMarks("answer-key");
    return;
  }
  flash(button);
  closeNote();
}

function closeNote() {
  find("note").value = "";
  find("note").parentElement.hidden = true;
}

function openNote() {
  find("note").parentElement.hidden = false;
  find("note").focus();
}

const actions = {
  class: (index) => answer("label", [buttons[index].dataset.class], buttons[index]),
  notSure: () => answer("not_sure", [], find("not-sure")),
  bad: () => answer("bad_crop", [], find("bad-crop")),
  wrong: () => answer("wrong_object", [], find("wrong-object")),
  undo: () => {
    flash(find("undo"));
    session.undo();
  },
  ...eye.actions,
  guidelines: () => find("guidelines-dialog").showModal(),
  keys: () => find("keys-dialog").showModal(),
  note: openNote,
};

function onKey(event) {
  if (event.target === find("note") && ["Enter", "Escape"].includes(event.key)) {
    if (event.key === "Escape") closeNote();
    return main.focus();
  }
  if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
  const asked = actionFor(event, buttons.length);
  // A focused button keeps its space bar, and a key that is held down must not answer crop after crop.
  if (!asked || (asked.action === "outline" && event.target.closest?.("button, a, summary, input"))) return;
  event.preventDefault();
  if (!event.repeat) actions[asked.action](asked.index);
}

function bind() {
  buttons.forEach((button, index) => {
    button.querySelector("kbd").textContent = classKey(index);
    button.addEventListener("click", () => actions.class(index));
  });
  const clicks = {
    "not-sure": "notSure", "bad-crop": "bad", "wrong-object": "wrong", undo: "undo",
    "open-keys": "keys", "open-guidelines": "guidelines", "open-note": "note",
  };
  for (const [id, action] of Object.entries(clicks)) find(id).addEventListener("click", () => actions[action]());
  find("look-again").addEventListener("click", () => session.refill());
  document.addEventListener("keydown", onKey);
  bindTabs();
  for (const name of ["online", "focus"]) window.addEventListener(name, () => outbox.flush({ force: true }));
  // Gives the crops back that were set aside for this reader.
  window.addEventListener("pagehide", () => config.urls.leave && !outbox.waiting && postBeacon(config.urls.leave, token));
  window.addEventListener("beforeunload", (event) => outbox.waiting && event.preventDefault());
}

bind();
status.listKeys(config.classes, classKey);
outbox.flush();
session.refill();
setInterval(() => status.tick(), 1000);
