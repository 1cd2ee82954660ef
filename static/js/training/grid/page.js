/* The grid: binds controls, tiles, choices, answers and the map together. */
import { getJson, postJson } from "../../shared/api.js";
import { Answering } from "./answering.js";
import { aroundCrop } from "./around.js";
import { bindHands } from "./hands.js";
import { Controls } from "./controls.js";
import { EmbeddingMap } from "./map.js";
import { Pictures, sideFor } from "./pictures.js";
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
let asked = 0;

const pictures = new Pictures(config.urls.grid_pixels, {
  arrived: () => {
    tiles.redraw();
    countPainted();
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
const { context, open, pin } = aroundCrop({ config, page, names, grid, popup, selection, controls });
const map = config.map && find("map-panel") ? new EmbeddingMap(find, config, (lasso) => { controls.lasso = lasso; controls.anew(); }) : null;

function countPainted() {
  main.dataset.painted = String(page.crops.filter(({ id }) => pictures.get(id)).length);
  if (Number(main.dataset.painted) === page.crops.length) performance.mark("grid-painted");
}

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

/** Pixels across that a tile needs on this screen. */
function side() {
  return sideFor(tiles.layout.tile * (window.devicePixelRatio || 1));
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
  pictures.show(page.crops, page.displays, side());
  // Those of an earlier page are here already.
  countPainted();
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

bindHands({
  find, config, grid, tiles, selection, answering, controls, pictures, popup, steps, actions, refresh, turn, context, open, resized: () => pictures.show(page.crops, page.displays, side()),
});
refreshSaving();
if (find("grid-form").dataset.ranked === "true") load();
else main.dataset.state = "ready";
