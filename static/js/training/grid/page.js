/* The grid: binds controls, tiles, choices, answers and the map together. */
import { saveState } from "../../labeling/status.js";
import { getJson } from "../../shared/api.js";
import { newId } from "../../shared/ids.js";
import { Answering } from "./answering.js";
import { aroundCrop } from "./around.js";
import { bindHands } from "./hands.js";
import { Controls } from "./controls.js";
import { GridKeys } from "./keys.js";
import { EmbeddingMap } from "./map.js";
import { Pictures, sideFor } from "./pictures.js";
import { Popup } from "./popup.js";
import { Selection } from "./selection.js";
import { gridOutbox, keepSending } from "./sending.js";
import { Steps } from "./steps.js";
import { Tiles } from "./tiles.js";
import { counted, hiddenWords, missingWords, orderWords, tileWords } from "./words.js";

const find = (id) => document.getElementById(id);
const main = find("main");
const config = JSON.parse(find("grid-config").textContent);
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
const names = new Map(config.classes.map(({ key, name }) => [key, name]));
const colors = new Map(config.classes.map(({ key, color }) => [key, color]));
const grid = find("grid");
const selection = new Selection();
const page = { crops: [], displays: [], total: 0, ranking: "", unit: "", sort: "", start: 0, isLoading: false };
let asked = 0;
let waiting = new Map();
const seen = new Set(); // Crops whose picture was on screen.

const pictures = new Pictures(config.urls.grid_pixels, () => {
  countPainted();
  refresh();
});
const tiles = new Tiles(grid, {
  describe, shown: (places) => pictures.want(places.map((at) => page.crops[at]?.id)), looked: () => refreshAnswer(),
});
const controls = new Controls(find("grid-form"), () => load());
const popup = new Popup(find("grid-popup"), config.urls.context);
const outbox = gridOutbox(config, token, {
  changed: () => refresh(),
  saved: (item, reply) => {
    steps.saved(item, reply);
    answering.took(item, reply);
  },
  refused: (item, error) => {
    steps.refused(item);
    say(`Not taken: ${error.message}`, "bad");
  },
});
const steps = new Steps({ outbox, urls: config.urls, annotator: config.user, newId });
const keys = new GridKeys(config.keys, config.classes.length);
const answering = new Answering({ find, config, names, page, selection, steps, pictures, seen, changed: () => refresh(), say });
const { context, open, pin } = aroundCrop({ config, page, names, grid, popup, selection, controls });
const map = config.map && find("map-panel") ? new EmbeddingMap(find, config, (lasso) => { controls.lasso = lasso; controls.anew(); }) : null;

function countPainted() {
  main.dataset.painted = String(page.crops.filter(({ id }) => pictures.get(id)).length);
  if (Number(main.dataset.painted) === page.crops.length) performance.mark("grid-painted");
}

function describe(place) {
  const crop = page.crops[place];
  const other = answering.otherOf(place);
  const given = waiting.get(crop.id);
  const words = tileWords(crop, names, { other, waiting: given, unit: page.unit, sort: page.sort });
  const key = given?.classes?.[0] ?? other ?? crop.answer?.label ?? crop.predicted;
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
  page.isLoading = true;
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
  page.isLoading = false;
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
  write("grid-order", error ? "" : orderWords(page, config.strategy));
  write("grid-hidden", error ? "" : hiddenWords(page.hidden));
  main.dataset.state = error ? "failed" : "ready";
  refresh();
}

function write(id, text) {
  find(id).textContent = text;
  find(id).hidden = !text;
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Brings everything that depends on what is chosen up to date. */
function refresh() {
  waiting = steps.waiting();
  tiles.redraw();
  const number = selection.size;
  find("grid-chosen").textContent = answering.isExceptions ? `${counted(number)} marked as wrong` : `${number.toLocaleString("en")} selected`;
  const [from, to] = [page.total ? page.start + 1 : 0, page.start + page.crops.length];
  find("grid-range").textContent = `${from.toLocaleString("en")}–${to.toLocaleString("en")} of ${page.total.toLocaleString("en")}`;
  find("grid-before").disabled = page.start === 0;
  find("grid-after").disabled = to >= page.total;
  find("grid-newer").hidden = page.is_newest !== false;
  find("grid-missing").textContent = missingWords(pictures.missing);
  refreshAnswer();
  refreshSaving();
}

/** What Enter would do depends on what was looked at. */
function refreshAnswer() {
  for (const { id } of [...tiles.inSight].map((place) => page.crops[place]).filter(Boolean)) if (pictures.get(id)) seen.add(id);
  answering.refresh();
}

function refreshSaving() {
  const { trouble, savedAt, retryAt } = outbox;
  const { text, tone, kind } = saveState({ waiting: steps.unsent, trouble, savedAt, retryAt }, Date.now());
  if (find("grid-saved").textContent !== text) find("grid-saved").textContent = text;
  find("grid-saved").dataset.tone = tone;
  find("login-again").hidden = kind !== "auth";
  // Told once, not with every second of the next wait.
  if (tone !== "quiet" && kind !== find("grid-saved").dataset.kind) say(text, tone);
  find("grid-saved").dataset.kind = kind;
  find("undo").disabled = !steps.past.length;
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
  wrong: () => answering.choose("wrong_object"),
  confirm: () => answering.confirm(),
  undo: () => answering.undo(),
  context: () => context(selection.active),
  open: () => open(selection.active),
  pin,
  map: toggleMap,
  keys: () => find("keys-dialog").showModal(),
};

bindHands({
  find, keys, grid, tiles, selection, answering, controls, pictures, popup, actions, refresh, turn, context, open, resized: () => pictures.show(page.crops, page.displays, side()),
});
keepSending(outbox);
setInterval(refreshSaving, 1000);
refreshSaving();
if (find("grid-form").dataset.ranked === "true") load();
else main.dataset.state = "ready";
