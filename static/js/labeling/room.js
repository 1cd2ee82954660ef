/* The reading room: binds the session, the picture and the page together. */
import { getBytes, getJson, postBeacon, postJson } from "../shared/api.js";
import { Attention } from "../shared/attention.js";
import { newId } from "../shared/ids.js";
import { announce, Company, openChannel } from "../shared/neighbours.js";
import { Outbox } from "../shared/outbox.js";
import { measurePaint } from "../shared/pace.js";
import { decodePixels, parseShape } from "../shared/pixels.js";
import { Prefetch } from "../shared/prefetch.js";
import { createStore } from "../shared/store.js";
import { Actions } from "./actions.js";
import { ClassButtons } from "./classes.js";
import { Comments } from "./comments.js";
import { ConflictSheet } from "./conflicts.js";
import { Eye } from "./eye.js";
import { Guide } from "./guide.js";
import { KeySheet } from "./keysheet.js";
import { asMember } from "./membership.js";
import { Note } from "./note.js";
import { Notices, refusalText, UNLOCKED, unopenedText } from "./notices.js";
import { Reasons } from "./reasons.js";
import { Session } from "./session.js";
import { SittingSheet } from "./sitting.js";
import { StatusBar } from "./statusbar.js";
import { SuggestionChip } from "./suggestion.js";
import { bindTabs } from "./tabs.js";

const ADOPT_MS = 15000;
const find = (id) => document.getElementById(id);
const main = find("main");
const config = JSON.parse(find("room-config").textContent);
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
const owner = `parfocal.page.${newId()}`;
const post = (url, body, method) => postJson(url, body, token, method);

/** Pixels of an address: from the pantry where they are, else from the server. */
async function loadImage(url, crop = session.known().find(({ pixels }) => pixels === url)) {
  const { buffer, headers } = pantry.get(url) ?? (await getBytes(url));
  const shape = crop?.shape ?? parseShape(headers.get("X-Shape"));
  const dtype = crop?.dtype ?? headers.get("X-Dtype");
  return { pixels: decodePixels(buffer, dtype, shape), shape, dtype };
}

async function send({ kind, url, body }) {
  try {
    if (kind === "undo") return await asMember(post(url, body));
    // Of answers that waited together only the last one asks what comes next.
    const isLast = outbox.waiting < 2 || kind === "skip";
    const reply = await asMember(post(isLast ? url : `${url}?count=1`, { ...body, sent_at: new Date().toISOString() }));
    if (!isLast) delete reply.next?.crops;
    return reply;
  } catch (error) {
    if (error.kind === "stranger") session.shutOut(error);
    throw error;
  }
}

const outbox = new Outbox({
  send,
  store: createStore(`parfocal.outbox.${main.dataset.user}.${config.study}.`),
  owner,
  living: announce(owner),
  changed: () => status?.refresh(),
  saved: (item, reply) => {
    session.absorb(reply);
    if (!session.current && !session.queue.length) session.refill();
    main.dataset.saved = String(Number(main.dataset.saved) + (item.kind === "answer" ? 1 : 0));
  },
  refused: (item, error) => {
    const { crop, comesAgain } = session.refused(item);
    if (item.body.reason) note.keep(item.body.crop, item.body.reason);
    classes.refresh(config.urls.study).then(() => keys.use(keys.map.own));
    const again = session.known().find(({ id }) => id === crop?.id) ?? null;
    notices.add(refusalText(item, error.message, { names: classes.names, crop, comesAgain }), { topic: item.id, crop: again });
  },
  disputed: (item) => conflicts.add(item),
});
const pantry = new Prefetch(getBytes, { parallel: 2 });
const pool = new Prefetch((url) => loadImage(url), { arrived: (url) => onArrived(url) });
const attention = new Attention({ capMs: 1000 * config.idle_cap_s });
const tabs = openChannel(`parfocal.answers.${main.dataset.user}.${config.study}`, (crop) => session.elsewhere(crop));
const company = new Company(`parfocal.rooms.${main.dataset.user}.${config.study}`, owner);
const session = new Session({
  config,
  outbox,
  pool,
  pantry,
  attention,
  newId,
  api: {
    next: (count) => asMember(getJson(`${config.urls.next}?count=${count}`)),
    undo: (body) => asMember(post(config.urls.undo, body)),
    ranking: async () => (await asMember(getJson(config.urls.ranking))).ranking,
    pause: (paused) => post(config.urls.pause, { paused }),
    leave: () => leave(),
  },
  events: {
    shown: (crop, before) => onShown(crop, before),
    changed: () => status?.refresh(),
    told: (text) => status.tell(text),
    answered: (crop) => {
      status.hush();
      tabs.tell(crop.id);
    },
    noticed: (text, topic) => notices.add(text, { topic }),
  },
});
const eye = new Eye({
  find, config, token, user: main.dataset.user,
  current: () => session.current, told: (text) => status.tell(text), redraw: () => draw(), missing: () => session.doubt(),
});
const { windows, view, panel } = eye;
const classes = new ClassButtons({ find, classes: config.classes, chosen: (place, button) => actions.chooseClass(place, button) });
const status = new StatusBar({ find, main, session, outbox, pool, classNames: classes.names, blind: config.blind, leads: config.leads });
const suggestion = new SuggestionChip({ find, classes });
const reasons = new Reasons({ find, session });
const note = new Note({ find });
const notices = new Notices({ holder: find("notices"), showAgain: (crop) => session.showAgain(crop), closed: () => main.focus() });
const keys = new KeySheet({ find, classes, channels: panel, own: config.keys, save: (own) => post(config.urls.preferences, { keys: own }, "PATCH") });
const conflicts = new ConflictSheet({ find, session, paint, load: (crop) => loadImage(crop.pixels, crop), names: classes.names });
const sheets = {
  comments: new Comments({ find, url: config.urls.comments, get: getJson, post }),
  guide: new Guide({ find, url: config.urls.guide, get: getJson, load: (url) => loadImage(url), paint, classes, seen: onGuideline }),
  sitting: new SittingSheet({ find, session, save: (change) => post(config.urls.sitting, change, "PATCH"), told: (text) => status.tell(text) }),
};
const actions = new Actions({ find, main, session, eye, classes, suggestion, reasons, keys, sheets, status, note });

function paint(canvas, crop, image) {
  view.painter.draw(canvas, { ...image, isRgb: crop.is_rgb }, windows.shown(crop.channels), { invert: windows.invert });
}

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
  afterPaint(measurePaint);
  afterPaint(() => session.current === crop && drawContext(crop));
  return true;
}

/** What may come a frame later than the crop. A frame's callbacks run before it is painted: the first task after them. */
function afterPaint(job) {
  requestAnimationFrame(() => setTimeout(job));
}

function drawContext(crop) {
  view.drawContext(crop, imageOf(crop, crop.context), windows.shown(crop.channels), session.queue[0]);
}

function onShown(crop, before) {
  main.dataset.cropId = crop ? String(crop.id) : "";
  classes.mark(before);
  suggestion.show(crop);
  note.show(crop, before);
  reasons.show(session.history.last, before);
  if (!crop) view.clear();
  if (!crop || !showImage(crop)) main.dataset.state = "loading";
  status.refresh();
}

function showImage(crop) {
  if (!draw()) return false;
  main.dataset.state = "ready";
  session.markShown();
  afterPaint(() => session.current === crop && panel.show(crop, pool.get(crop.pixels)));
  return true;
}

function onArrived(url) {
  const crop = session.current;
  if (pool.problem(url)?.status === 404) session.doubt();
  if (!crop) return;
  if (url === crop.pixels && main.dataset.state !== "ready") showImage(crop);
  else if (url === crop.context) drawContext(crop);
  status.refresh();
}

/** From now on answers name this version: the reader has it before them. */
function onGuideline(number) {
  session.guideline = number;
  notices.drop("guidelines");
}

/** Gives the crops back that were set aside for this reader; another page of theirs may show one of them. */
function leave() {
  if (config.urls.leave && !outbox.waiting && company.isAlone) postBeacon(config.urls.leave, token);
}

function onPageHide() {
  leave();
  company.go();
}

/** The back button may bring this very page back: what it holds was given back meanwhile. */
function onPageShow({ persisted }) {
  if (!persisted) return;
  company.come();
  session.refill();
}

/** The line may be back: what the server does not know yet goes out. */
function catchUp() {
  if (session.pausing.isDue) session.pausing.settle();
  return outbox.flush({ force: true });
}

async function start() {
  actions.bind();
  if (config.awaits_protocol) notices.add(UNLOCKED, { topic: "protocol" });
  if (config.unopened) notices.add(unopenedText(config.unopened), { topic: "guidelines" });
  bindTabs();
  attention.follow();
  window.addEventListener("online", catchUp);
  window.addEventListener("focus", () => outbox.adopt().then(catchUp));
  window.addEventListener("pagehide", onPageHide);
  window.addEventListener("pageshow", onPageShow);
  window.addEventListener("beforeunload", (event) => outbox.waiting && event.preventDefault());
  setInterval(() => status.tick(), 1000);
  company.come();
  setInterval(() => outbox.adopt().then((found) => found && outbox.flush()), ADOPT_MS);
  await outbox.ready;
  outbox.flush();
  session.refill();
}

start();
