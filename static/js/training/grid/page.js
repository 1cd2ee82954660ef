/* The grid: binds controls, tiles, choices, answers and the map together. */
import { getJson, postJson } from "../../shared/api.js";
import { isTyping } from "../../shared/keys.js";
import { Answering } from "./answering.js";
import { Controls } from "./controls.js";
import { gridAction } from "./keys.js";
import { EmbeddingMap } from "./map.js";
import { Pictures, sideFor } from "./pictures.js";
import { bindPointer } from "./pointer.js";
import { Popup } from "./popup.js";
import { Selection } from "./selection.js";
import { Steps } from "./steps.js";
import { Tiles } from "./tiles.js";
import { counted, savingWords, tileWords } from "./words.js";

const find = (id) => document.getElementById(id);
const main = find("main");
const config = JSON.parse(find("grid-config").textContent);
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
const names = new Map(config.classes.map(({ key, name }) => [key, name]));
const colors = new Map(config.classes.map(({ key, color }) => [key, color]));
const grid = find("grid");
const selection = new Selection();
const page = { crops: [], displays: [], total: 0, ranking: "", unit: "", sort: "", start: 0 };
let before = [];
let asked = 0;

const pictures = new Pictures(config.urls.grid_pixels, {
  arrived: () => {
    tiles.redraw();
    main.dataset.painted = String(page.crops.filter(({ id }) => pictures.get(id)).length);
    if (Number(main.dataset.painted) === page.crops.length) performance.mark("grid-painted");
  },
  failed: (error) => say(`Some crops could not be loaded: ${error.message}.`, "warn"),
});
const tiles = new Tiles(grid, { describe, shown: (places) => pictures.want(places.map((at) => page.crops[at]?.id)) });
const controls = new Controls(find("grid-form"), () => load());
const popup = new Popup(find("grid-popup"), config.urls.context);
const steps = new Steps({
  post: (kind, body) => postJson(kind === "undo" ? config.urls.undo : config.urls.bulk, body, token),
  newId: () => crypto.randomUUID(),
  events: {
    changed: () => refreshSaving(),
    done: (request, reply) => answering.took(request, reply),
    refused: (request, error) => say(`Not taken: ${error.message}`, "bad"),
  },
});
const answering = new Answering({ find, config, names, page, selection, steps, pictures, changed: () => refresh(), say });
const map = config.map && find("map-panel") ? new EmbeddingMap(find, config, (lasso) => { controls.lasso = lasso; controls.anew(); }) : null;

function describe(place) {
  const crop = page.crops[place];
  const other = selection.has(place) ? answering.others.get(place) : undefined;
  const words = tileWords(crop, names, { other, unit: page.unit, sort: page.sort });
  const key = other ?? crop.answer?.label ?? crop.predicted;
  const isChosen = selection.has(place);
  return {
    ...words, id: crop.id, canvas: pictures.get(crop.id), color: key ? colors.get(key) : null,
    selected: isChosen, marked: answering.isExceptions && isChosen,
  };
}

/** Asks for the page that the controls describe and shows it from its top. */
async function load() {
  const run = (asked += 1);
  Object.assign(main.dataset, { state: "loading", loads: String(run) });
  performance.mark("grid-asked");
  try {
    const reply = await getJson(`${config.urls.grid}?${controls.query()}`);
    if (run !== asked) return;
    Object.assign(page, reply);
    controls.ranking = reply.ranking;
    show();
  } catch (error) {
    if (run !== asked) return;
    Object.assign(page, { crops: [], displays: [], total: 0 });
    show(error);
  }
}

function show(error) {
  selection.reset(page.crops.length);
  answering.reset();
  tiles.resize(Number(controls.value("size")));
  tiles.show(page.crops.length);
  main.dataset.painted = "0";
  pictures.show(page.crops, page.displays, sideFor(tiles.layout.tile * (window.devicePixelRatio || 1)));
  tiles.activate(0);
  find("grid-empty").hidden = page.crops.length > 0;
  find("grid-empty-text").textContent = error ? sentence(error.message) : "No crop fits: change the filters above, or take the lasso away.";
  main.dataset.state = error ? "failed" : "ready";
  refresh();
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Brings everything that depends on what is chosen up to date. */
function refresh() {
  tiles.redraw();
  const number = selection.size;
  find("grid-chosen").textContent = answering.isExceptions ? `${counted(number)} marked as wrong` : `${number.toLocaleString("en")} selected`;
  const [from, to] = [page.total ? page.start + 1 : 0, page.start + page.crops.length];
  find("grid-range").textContent = `${from.toLocaleString("en")}–${to.toLocaleString("en")} of ${page.total.toLocaleString("en")}`;
  find("grid-before").disabled = page.start === 0;
  find("grid-after").disabled = to >= page.total;
  find("grid-newer").hidden = page.is_newest !== false;
  answering.refresh();
}

function refreshSaving() {
  const { text, tone } = savingWords(steps);
  find("grid-saved").textContent = text;
  find("grid-saved").dataset.tone = tone;
  find("undo").disabled = !steps.past.length || steps.waiting.length > 0;
  main.dataset.unsent = String(steps.unsent);
}

function say(text, tone = "quiet") {
  find("grid-said").textContent = text;
  find("grid-said").dataset.tone = tone;
}

/** Answered crops drop out of "unlabelled": what follows has moved up by as many. */
function turn(by) {
  const count = Number(controls.value("count"));
  const gone = by > 0 && controls.value("state") === "unlabelled" ? page.crops.filter(({ answer }) => answer).length : 0;
  controls.start = Math.max(0, page.start + by * count - gone);
  load();
}

function context(place, point, held = true) {
  const crop = page.crops[place];
  if (!crop) return;
  const box = point ?? grid.querySelector(".grid-tile.active")?.getBoundingClientRect() ?? grid.getBoundingClientRect();
  const text = tileWords(crop, names, { unit: page.unit, sort: page.sort }).name;
  popup.show(crop, page.displays[crop.display], { x: point?.x ?? box.right, y: point?.y ?? box.top }, { held, text });
}

function open(place) {
  const crop = page.crops[place];
  if (!crop) return;
  if (config.urls.crop) window.open(config.urls.crop.replace("/0/", `/${crop.id}/`), "_blank", "noopener");
  else context(place);
}

function pin() {
  const crop = page.crops[selection.active];
  if (!crop) return;
  controls.pin = crop.id;
  controls.set("sort", "similar");
  controls.anew();
}

function toggleMap() {
  if (!map) return;
  const panel = find("map-panel");
  panel.hidden = !panel.hidden;
  find("open-map").setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) map.open();
}

const actions = {
  move: ({ key, extend }) => { selection.move(key, tiles.layout.columns, { extend: extend && !answering.isExceptions }); tiles.activate(selection.active); },
  toggle: () => selection.toggle(selection.active),
  all: () => selection.all(),
  none: () => selection.none(),
  invert: () => selection.invert(),
  leave: () => (popup.isOpen ? popup.hide() : selection.none()),
  class: ({ index }) => answering.choose("label", config.classes[index]?.key),
  notSure: () => answering.choose("not_sure"),
  bad: () => answering.choose("bad_crop"),
  confirm: () => answering.confirm(),
  undo: () => answering.undo(),
  context: () => context(selection.active),
  open: () => open(selection.active),
  pin,
  map: toggleMap,
  keys: () => find("keys-dialog").showModal(),
};

function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
  const wanted = gridAction(event, config.classes.length);
  const isControl = event.target.closest?.("button, a, summary, input");
  if (!wanted || (isControl && ["toggle", "confirm", "move"].includes(wanted.action))) return;
  if (wanted.action === "move" && event.target !== grid && event.target !== main && event.target !== document.body) return;
  event.preventDefault();
  actions[wanted.action](wanted);
  refresh();
}

function bind() {
  const clicks = {
    "choose-all": "all", "choose-invert": "invert", "choose-none": "none", confirm: "confirm", undo: "undo",
    "not-sure": "notSure", "bad-crop": "bad", "look-around": "context", "pin-crop": "pin", "open-map": "map", "open-keys": "keys",
  };
  for (const [id, action] of Object.entries(clicks)) find(id)?.addEventListener("click", () => { actions[action]({}); refresh(); });
  document.querySelectorAll("[data-class]").forEach((button, index) => button.addEventListener("click", () => { actions.class({ index }); refresh(); }));
  find("grid-before").addEventListener("click", () => turn(-1));
  find("grid-after").addEventListener("click", () => turn(1));
  find("grid-newer").addEventListener("click", () => controls.anew());
  controls.field("size").addEventListener("input", ({ target }) => tiles.resize(Number(target.value)));
  controls.field("size").addEventListener("change", () => pictures.show(page.crops, page.displays, sideFor(tiles.layout.tile * (window.devicePixelRatio || 1))));
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => steps.unsent && event.preventDefault());
  window.addEventListener("online", () => steps.flush());
  bindPointer(grid, tiles, {
    click: (place, { touch, ...keys }) => { selection.click(place, { ...keys, toggles: answering.isExceptions || (touch && selection.size > 0) }); after(place); },
    press: (place) => { selection.toggle(place); after(place); },
    band: (box, more, phase) => {
      if (phase === "begin") before = more || answering.isExceptions ? selection.places() : [];
      selection.band(tiles.placesIn(box), before);
      refresh();
    },
    open, context: (place, point) => place !== null && context(place, point), hold: (place, point) => context(place, point, false),
    leave: () => popup.hide({ passing: true }),
  });
}

function after(place) {
  if (!popup.isOpen || popup.held) popup.hide();
  tiles.activate(place);
  refresh();
}

bind();
refreshSaving();
if (find("grid-form").dataset.ranked === "true") load();
else main.dataset.state = "ready";
