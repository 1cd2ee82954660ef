/* The grid's own logic: what is chosen, where tiles lie, what lies in a lasso, what is sent. */
import assert from "node:assert/strict";
import test from "node:test";

import { ApiError } from "../../static/js/shared/api.js";
import { KeyMap } from "../../static/js/shared/keys.js";
import { Outbox } from "../../static/js/shared/outbox.js";
import { createLocalStore } from "../../static/js/shared/store.js";
import { Answering } from "../../static/js/training/grid/answering.js";
import { GridKeys } from "../../static/js/training/grid/keys.js";
import { asText, isInside, placesInside, thinned } from "../../static/js/training/grid/lasso.js";
import { unpack } from "../../static/js/training/grid/packed.js";
import { movedPlace, Selection } from "../../static/js/training/grid/selection.js";
import { isOpen, requestsFor, Steps } from "../../static/js/training/grid/steps.js";
import { layoutOf, placeOf, placesIn, scrolledTo, shownPlaces } from "../../static/js/training/grid/window.js";
import { hiddenWords, missingWords, orderWords, stepWords, tileWords, unseenWords } from "../../static/js/training/grid/words.js";

/** Numbers in [0, 1) that are the same in every run. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test("a click chooses one, shift a range from it, ctrl one more or one less", () => {
  const chosen = new Selection(10);
  chosen.click(3);
  chosen.click(6, { shift: true });
  assert.deepEqual(chosen.places(), [3, 4, 5, 6]);
  chosen.click(1, { shift: true });
  assert.deepEqual(chosen.places(), [1, 2, 3]);
  chosen.click(2, { more: true });
  chosen.click(8, { more: true });
  assert.deepEqual(chosen.places(), [1, 3, 8]);
  chosen.click(9, { shift: true, more: true });
  assert.deepEqual(chosen.places(), [1, 3, 8, 9]);
  chosen.click(0);
  assert.deepEqual(chosen.places(), [0]);
});

test("inverting twice changes nothing; chosen and others are the whole page", () => {
  const chosen = new Selection(7);
  chosen.band([1, 2, 5]);
  const before = chosen.places();
  chosen.invert();
  assert.deepEqual(chosen.places(), [0, 3, 4, 6]);
  chosen.invert();
  assert.deepEqual(chosen.places(), before);
  assert.deepEqual([...chosen.places(), ...chosen.others()].sort(), [0, 1, 2, 3, 4, 5, 6]);
  chosen.all();
  assert.equal(chosen.size, 7);
  chosen.none();
  assert.equal(chosen.size, 0);
});

test("in exceptions a plain click turns one crop round and keeps the others", () => {
  const chosen = new Selection(5);
  for (const place of [1, 3, 1]) chosen.click(place, { toggles: true });
  assert.deepEqual(chosen.places(), [3]);
  assert.deepEqual(chosen.others(), [0, 1, 2, 4]);
});

test("a rubber band adds to what was chosen before it and takes back what it leaves", () => {
  const chosen = new Selection(9);
  chosen.band([0, 1], [7]);
  chosen.band([0], [7]);
  assert.deepEqual(chosen.places(), [0, 7]);
});

test("arrow keys move inside the page, with shift they choose on the way", () => {
  assert.equal(movedPlace(0, "ArrowLeft", 4, 10), 0);
  assert.equal(movedPlace(1, "ArrowDown", 4, 10), 5);
  assert.equal(movedPlace(7, "ArrowDown", 4, 10), 7);
  assert.equal(movedPlace(3, "End", 4, 10), 9);
  assert.equal(movedPlace(3, "PageDown", 4, 10), 9);
  assert.equal(movedPlace(0, "PageUp", 4, 0), 0);
  const chosen = new Selection(10);
  chosen.move("ArrowRight", 4);
  chosen.move("ArrowDown", 4, { extend: true });
  assert.deepEqual(chosen.places(), [1, 2, 3, 4, 5]);
});

test("tiles fill the width, at least two side by side, and never overlap", () => {
  for (const [width, size] of [[390, 256], [358, 104], [1400, 96], [2560, 48]]) {
    const layout = layoutOf({ width, size, count: 101 });
    assert.ok(layout.columns >= 2);
    const last = placeOf(layout, layout.columns - 1);
    assert.ok(last.left + layout.tile <= width);
    assert.equal(placeOf(layout, layout.columns).left, 0);
    assert.ok(placeOf(layout, layout.columns).top >= layout.tile);
    assert.ok(placeOf(layout, 100).top + layout.row - layout.gap <= layout.height);
  }
});

test("every tile that a window touches is among those shown, and few others are", () => {
  const layout = layoutOf({ width: 1000, size: 100, count: 995 });
  for (let scroll = 0; scroll < layout.height; scroll += 137) {
    const [first, end] = shownPlaces(layout, scroll, 600);
    for (let place = 0; place < layout.count; place += 1) {
      const { top } = placeOf(layout, place);
      if (top < scroll + 600 && top + layout.row > scroll) assert.ok(place >= first && place < end);
    }
    assert.ok(end - first <= layout.columns * (Math.ceil(600 / layout.row) + 6));
  }
});

test("a box finds the tiles that a plain comparison finds", () => {
  const layout = layoutOf({ width: 700, size: 90, count: 47 });
  const next = random(3);
  for (let run = 0; run < 200; run += 1) {
    const [left, top] = [next() * 700, next() * layout.height];
    const box = { left, top, right: left + next() * 300, bottom: top + next() * 300 };
    const plain = Array.from({ length: 47 }, (_, place) => place).filter((place) => {
      const at = placeOf(layout, place);
      const height = layout.row - layout.gap;
      return at.left <= box.right && at.left + layout.tile >= box.left && at.top <= box.bottom && at.top + height >= box.top;
    });
    assert.deepEqual(placesIn(layout, box), plain);
  }
});

test("a tile in sight is not scrolled to, one outside is brought just inside", () => {
  const layout = layoutOf({ width: 500, size: 100, count: 100 });
  assert.equal(scrolledTo(layout, 0, 0, 400), 0);
  const down = scrolledTo(layout, 99, 0, 400);
  assert.ok(placeOf(layout, 99).top + layout.row - layout.gap <= down + 400);
  assert.equal(scrolledTo(layout, 0, 300, 400), 0);
});

test("what lies inside a lasso equals the sum of angles, a reference of another kind", () => {
  const next = random(11);
  const star = Array.from({ length: 24 }, (_, at) => {
    const [angle, radius] = [(at * Math.PI) / 12, 0.15 + 0.3 * next()];
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
  });
  const winding = (x, y) => {
    let sum = 0;
    star.forEach(([x0, y0], at) => {
      const [x1, y1] = star[(at + 1) % star.length];
      sum += Math.atan2((x0 - x) * (y1 - y) - (x1 - x) * (y0 - y), (x0 - x) * (x1 - x) + (y0 - y) * (y1 - y));
    });
    return Math.abs(sum) > Math.PI;
  };
  const points = Float32Array.from({ length: 4000 }, next);
  const plain = [];
  for (let at = 0; at < 2000; at += 1) if (winding(points[2 * at], points[2 * at + 1])) plain.push(at);
  assert.deepEqual(placesInside(points, star), plain);
  assert.ok(plain.length > 100 && plain.length < 1900);
  assert.deepEqual(placesInside(points, star.slice(0, 2)), []);
  assert.equal(isInside(5, 5, star), false);
});

test("a long outline is thinned evenly and written with four digits", () => {
  const long = Array.from({ length: 1000 }, (_, at) => [at / 1000, 0]);
  assert.equal(thinned(long).length, 150);
  assert.equal(asText([[0.5, 1 / 3]]), "0.5000,0.3333");
});

test("packed arrays are read where the header says", () => {
  const header = new TextEncoder().encode(JSON.stringify({ meta: { crops: [7] }, blocks: [["uint16", [1, 1, 2], 0], ["float32", [1], 8]] }));
  const padded = header.length + ((8 - ((header.length + 4) % 8)) % 8);
  const buffer = new ArrayBuffer(4 + padded + 16);
  new DataView(buffer).setUint32(0, padded, true);
  new Uint8Array(buffer, 4).set(new Uint8Array(padded).fill(32));
  new Uint8Array(buffer, 4).set(header);
  new Uint16Array(buffer, 4 + padded, 2).set([3, 60000]);
  new Float32Array(buffer, 4 + padded + 8, 1).set([0.5]);
  const { meta, blocks } = unpack(buffer);
  assert.deepEqual(meta.crops, [7]);
  assert.deepEqual([...blocks[0].data], [3, 60000]);
  assert.deepEqual([...blocks[1].data], [0.5]);
  assert.throws(() => unpack(buffer.slice(0, 10)), /ends in its header/);
});

const event = (key, more = {}) => ({ key, code: /^\d$/.test(key) ? `Digit${key}` : "", ...more });

const GRID_ACTIONS = ["all", "invert", "none", "context", "open", "pin", "map", "toggle", "confirm"];
const ANSWERS = ["notSure", "bad", "wrong", "undo"];
const OWN = [{}, { bad: "s" }, { "class:1": "n", "class:2": "k", wrong: "o" }, { "class:3": "Enter", notSure: " " }, { skip: "3", undo: "v" }];

test("a key that answers in the room answers the same in the grid, whatever the number of classes and one's own keys", () => {
  for (const own of OWN) {
    for (const count of [0, 2, 11, 16, 23, 40]) {
      const [room, keys] = [new KeyMap(own, count), new GridKeys(own, count)];
      const answers = [...Array.from({ length: count }, (_, at) => `class:${at + 1}`), ...ANSWERS];
      for (const action of answers) {
        const key = keys.keyOf(action);
        if (!key) continue;
        assert.equal(key, room.keyOf(action));
        assert.deepEqual(keys.asked(event(key)), room.asked(event(key)));
      }
    }
  }
  assert.deepEqual(new GridKeys({}, 12).asked(event("w")), { action: "wrong" });
  assert.deepEqual(new GridKeys({}, 12).asked(event("e")), { action: "class", index: 10 });
});

test("no key of the grid does two things, and every printed key does what it is printed for", () => {
  for (const own of OWN) {
    for (const count of [2, 16, 23]) {
      const keys = new GridKeys(own, count);
      const actions = [...Array.from({ length: count }, (_, at) => `class:${at + 1}`), ...ANSWERS, ...GRID_ACTIONS];
      const used = actions.map((action) => [action, keys.keyOf(action)]).filter(([, key]) => key);
      assert.equal(new Set(used.map(([, key]) => key)).size, used.length);
      for (const [action, key] of used) {
        const { action: done, index } = keys.asked(event(key));
        assert.equal(index === undefined ? done : `${done}:${index + 1}`, action);
      }
      for (const action of GRID_ACTIONS) assert.ok(keys.keyOf(action), `${action} has no key`);
    }
  }
});

test("usual keys of the grid, and what is not for it", () => {
  const keys = new GridKeys({}, 3);
  for (const [key, action] of [["a", "all"], ["s", "invert"], ["z", "undo"], ["Enter", "confirm"], [" ", "toggle"], ["0", "notSure"], ["Escape", "leave"]]) {
    assert.equal(keys.asked(event(key)).action, action);
  }
  for (const other of [event("5"), event("s", { ctrlKey: true }), event("a", { altKey: true }), event("/"), event("2", { shiftKey: true })]) {
    assert.equal(keys.asked(other), null);
  }
  assert.deepEqual(keys.asked(event("a", { ctrlKey: true })), { action: "all" });
});

const DISPLAYS = [{ channels: [{ low: 1, high: 2 }] }, { channels: [{ low: 3, high: 4, on: false }] }];
const context = { ranking: "ab", displays: DISPLAYS, opinions: true, annotator: 7, newId: () => "id", now: () => new Date(0) };

test("requests hold at most 500 crops of one window; answers given one by one are left alone", () => {
  const crops = Array.from({ length: 1203 }, (_, id) => ({ id, display: id % 2, predicted: "disc", answer: null }));
  crops[0].answer = { kind: "label", is_bulk: false, number: 5 };
  crops[1].answer = { kind: "label", is_bulk: true, number: 6 };
  const requests = requestsFor(crops, { answer: "label", classes: ["disc"] }, context);
  assert.deepEqual(requests.map(({ items }) => items.length), [500, 101, 500, 101]);
  assert.ok(requests.every(({ items }) => items.length <= 500));
  assert.equal(requests.flatMap(({ items }) => items).length, 1202);
  assert.equal(isOpen(crops[0]), false);
  assert.equal(requests.flatMap(({ items }) => items).find(({ crop }) => crop === 1).standing, 6);
  for (const { window, items } of requests) {
    const display = items[0].crop % 2;
    assert.ok(items.every(({ crop }) => crop % 2 === display));
    assert.equal(window[0].low, DISPLAYS[display].channels[0].low);
  }
  assert.ok(requests.every(({ annotator }) => annotator === 7));
});

test("an answer names the ranking only where it confirms the prediction that was shown", () => {
  const crop = { id: 1, display: 0, predicted: "disc", answer: null };
  const by = (answer, classes, more = {}) => requestsFor([crop], { answer, classes }, { ...context, ...more })[0].items[0].suggested_by;
  assert.equal(by("label", ["disc"]), "ab");
  assert.equal(by("label", ["ring"]), "");
  assert.equal(by("not_sure", []), "");
  assert.equal(by("label", ["disc"], { opinions: false }), "");
});

/** Steps on the shared outbox with a store that outlives the page. */
function stepsWith(send, map = new Map()) {
  const [timers, told] = [[], []];
  const storage = {
    get length() { return map.size; },
    key: (at) => [...map.keys()][at],
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, text) => map.set(key, text),
    removeItem: (key) => map.delete(key),
  };
  const store = createLocalStore("box.", () => storage);
  const outbox = new Outbox({
    send, store, setTimer: (job) => timers.push(job), changed: () => {},
    saved: (item, reply) => { steps.saved(item, reply); told.push([item.kind, reply]); },
    refused: (item) => { steps.refused(item); told.push(["refused", item]); },
  });
  let number = 0;
  const steps = new Steps({ outbox, urls: { bulk: "/bulk/", undo: "/undo/" }, annotator: 7, newId: () => `id-${(number += 1)}` });
  return { steps, outbox, timers, told, map };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const body = (...ids) => ({ answer: "label", classes: ["disc"], items: ids.map((id) => ({ client_id: id, crop: `crop ${id}` })) });
const allSaved = ({ body: { items } }) => ({ results: items.map(({ client_id: id }) => ({ client_id: id, outcome: "saved" })) });
const away = (kind) => Promise.reject(new ApiError(kind, "away"));

test("what could not be sent is kept, whatever the trouble, and sent again with the same ids, in order", async () => {
  for (const trouble of ["offline", "server", "auth", "forbidden"]) {
    const sent = [];
    let isAway = true;
    const { steps, outbox, timers } = stepsWith(async (item) => {
      if (isAway) return away(trouble);
      sent.push(item.body.items[0].client_id);
      return allSaved(item);
    });
    steps.add([body("a"), body("b", "c")]);
    await settled();
    assert.equal(steps.unsent, 3);
    assert.deepEqual([...steps.waiting().keys()], ["crop a", "crop b", "crop c"]);
    assert.equal(outbox.trouble, trouble);
    isAway = false;
    await timers.pop()();
    assert.deepEqual(sent, ["a", "b"]);
    assert.equal(steps.unsent, 0);
  }
});

test("the next page sends what waited when this one was closed, once", async () => {
  const first = stepsWith(() => away("offline"));
  first.steps.add([body("a"), body("b")]);
  await settled();
  const sent = [];
  const next = stepsWith(async (item) => { sent.push(item.body); return allSaved(item); }, first.map);
  await next.outbox.ready;
  assert.equal(next.steps.unsent, 2);
  await next.outbox.flush();
  assert.deepEqual(sent.map(({ items: [{ client_id: id }] }) => id), ["a", "b"]);
  assert.equal(first.map.size, 0);
  assert.equal(next.steps.undo(), null);
});

test("undo takes back what was saved in the last step, and nothing else", async () => {
  const sent = [];
  const { steps } = stepsWith(async (item) => {
    sent.push(item);
    const outcome = (id) => (id === "b" ? "conflict" : "saved");
    return { results: item.body.items.map(({ client_id: id }) => ({ client_id: id, outcome: outcome(id) })) };
  });
  steps.add([body("first")]);
  await settled();
  steps.add([body("a", "b"), body("c")]);
  await settled();
  assert.equal(steps.undo(), 0);
  await settled();
  const undone = sent.filter(({ kind }) => kind === "bulk-undo");
  assert.deepEqual(undone.flatMap(({ body: { items } }) => items.map(({ answer }) => answer)), ["a", "c"]);
  assert.ok(undone.every(({ url, body: { annotator } }) => url === "/undo/" && annotator === 7));
  steps.undo();
  await settled();
  assert.deepEqual(sent.at(-1).body.items.map(({ answer }) => answer), ["first"]);
  assert.equal(steps.undo(), null);
});

test("undo drops what has not left, and withdraws after it what may have arrived", async () => {
  let isAway = true;
  const sent = [];
  const { steps, timers } = stepsWith(async (item) => {
    if (isAway) return away("offline");
    sent.push([item.kind, ...item.body.items.map(({ client_id: id, answer }) => answer ?? id)]);
    return allSaved(item);
  });
  steps.add([body("tried", "too"), body("here")]);
  await settled();
  assert.equal(steps.undo(), 1);
  assert.deepEqual([...steps.waiting().entries()], [["crop tried", {}], ["crop too", {}]]);
  isAway = false;
  await timers.pop()();
  assert.deepEqual(sent, [["bulk", "tried", "too"], ["bulk-undo", "tried", "too"]]);
});

test("a request that the server refuses is dropped and told of; the next one goes on", async () => {
  const { steps, told } = stepsWith(async (item) => (item.body.bad ? away("refused") : allSaved(item)));
  steps.add([{ ...body("a"), bad: true }, body("b")]);
  await settled();
  assert.deepEqual(told.map(([kind]) => kind), ["refused", "bulk"]);
  steps.undo();
  await settled();
  assert.deepEqual(told.at(-1)[1].results.length, 1);
});

/** The answering of a page of 6 crops predicted "disc", without a document. */
function answeringOf({ mode = "assign", unpainted = [], unseen = [] } = {}) {
  globalThis.document = { querySelectorAll: () => [], getElementById: () => ({ dataset: {} }) };
  const element = () => ({ value: mode, hidden: true, setAttribute: () => {}, addEventListener: () => {}, elements: { namedItem: () => ({ value: "disc" }) } });
  const page = { crops: [], displays: DISPLAYS, ranking: "ab", isLoading: false };
  page.crops = Array.from({ length: 6 }, (_, id) => ({ id, display: 0, predicted: "disc", answer: null }));
  const given = [];
  const held = new Map();
  const steps = {
    waiting: () => held,
    add: (bodies) => {
      given.push(...bodies.flatMap(({ classes, items }) => items.map(({ crop }) => [crop, classes[0]])));
      for (const sent of bodies) for (const { crop } of sent.items) held.set(crop, sent);
    },
  };
  const said = [];
  const selection = new Selection(6);
  const answering = new Answering({
    find: element, page, selection, steps, said, names: new Map(), config: { opinions: true, user: 7, urls: {} },
    pictures: { get: (id) => !unpainted.includes(id) }, changed: () => {}, say: (text) => said.push(text),
    seen: new Set([0, 1, 2, 3, 4, 5].filter((id) => !unseen.includes(id))),
  });
  answering.showExamples = () => {};
  const arrive = () => {
    for (const [id, { answer, classes }] of held) page.crops[id].answer = { kind: answer, label: classes[0], number: 1, is_bulk: true };
    held.clear();
  };
  return { answering, selection, page, given, said, arrive };
}

test("a second confirm of exceptions answers nothing: neither while the first is on its way nor after it", () => {
  const { answering, selection, given, said, arrive } = answeringOf({ mode: "exceptions" });
  for (const place of [1, 4]) selection.toggle(place);
  answering.confirm();
  const right = [0, 2, 3, 5].map((crop) => [crop, "disc"]);
  assert.deepEqual(given, right);
  answering.confirm();
  arrive();
  answering.confirm();
  assert.deepEqual(given, right);
  assert.deepEqual(selection.places(), [1, 4]);
  assert.match(said.at(-1), /Nothing is left/);
  answering.choose("label", "ring");
  answering.confirm();
  answering.confirm();
  arrive();
  answering.confirm();
  assert.deepEqual(given, [...right, [1, "ring"], [4, "ring"]]);
});

test("a second confirm of an assignment answers nothing, chosen again or not", () => {
  const { answering, selection, given, arrive } = answeringOf();
  answering.choose("label", "ring");
  for (const when of [() => {}, arrive]) {
    selection.band([2, 3]);
    answering.confirm();
    answering.confirm();
    when();
  }
  selection.band([2, 3]);
  answering.confirm();
  assert.deepEqual(given, [[2, "ring"], [3, "ring"]]);
});

test("nothing is answered while another page is being loaded", () => {
  const { answering, selection, page, given, said } = answeringOf();
  answering.choose("label", "ring");
  selection.all();
  page.isLoading = true;
  answering.confirm();
  assert.deepEqual(given, []);
  assert.match(said.at(-1), /being loaded/);
});

test("crops whose pictures are not there are left out of every answer, and that is said", () => {
  for (const mode of ["assign", "exceptions"]) {
    const { answering, selection, given, said } = answeringOf({ mode, unpainted: [0, 5] });
    if (mode === "assign") {
      answering.choose("label", "ring");
      selection.all();
    }
    answering.confirm();
    assert.deepEqual(given.map(([crop]) => crop), [1, 2, 3, 4]);
    answering.took({ kind: "bulk", body: { answer: "label", classes: ["ring"] } }, { results: [{ crop: 1, outcome: "saved", annotation: 9 }] });
    assert.match(said.at(-1), /2 crops left out: not shown yet/);
  }
});

test("exceptions confirm what was on screen alone, and the rest once it was", () => {
  const { answering, given, said, arrive } = answeringOf({ mode: "exceptions", unseen: [3, 4, 5] });
  answering.confirm();
  arrive();
  assert.deepEqual(given.map(([crop]) => crop), [0, 1, 2]);
  answering.confirm();
  assert.match(said.at(-1), /^3 crops left out: not shown yet\. Scroll to them, and confirm again\.$/);
  answering.seen.add(4);
  answering.confirm();
  assert.deepEqual(given.map(([crop]) => crop), [0, 1, 2, 4]);
  const chosen = answeringOf({ unseen: [3, 4, 5] });
  chosen.answering.choose("label", "ring");
  chosen.selection.all();
  chosen.answering.confirm();
  assert.equal(chosen.given.length, 6);
});

test("words: the order by uncertainty names its score on each tile, and what is kept back is counted", () => {
  const names = new Map([["disc", "Disc"]]);
  const crop = { id: 4, predicted: "disc", probability: 0.914, value: 0.03161, answer: null };
  assert.equal(tileWords(crop, names, { sort: "uncertain" }).text, "0.032 · 91 % Disc");
  assert.match(tileWords(crop, names, { sort: "uncertain" }).name, /score 0\.0316/);
  assert.match(orderWords({ sort: "uncertain" }, "uherding"), /highest first \(doubt between/);
  assert.match(orderWords({ sort: "uncertain" }, "plugged-in"), /strategy plugged-in/);
  assert.deepEqual([orderWords({ sort: "size" }, "margin"), hiddenWords(0)], ["", ""]);
  assert.match(hiddenWords(1200), /^1,200 crops of the pool are random checks/);
  assert.match(hiddenWords(1), /^1 crop of the pool is a random check/);
});

test("words: tiles say what was answered or predicted, steps why something was not taken", () => {
  const names = new Map([["disc", "Disc"], ["ring", "Ring"]]);
  const crop = { id: 4, predicted: "disc", probability: 0.914, value: 12.34, answer: null };
  assert.equal(tileWords(crop, names).text, "91 % Disc");
  assert.match(tileWords(crop, names, { sort: "size", unit: "µm²" }).text, /^12 µm²$/);
  assert.equal(tileWords({ ...crop, answer: { kind: "label", label: "ring", is_bulk: true } }, names).text, "Ring");
  assert.equal(tileWords(crop, names, { other: "ring" }).text, "→ Ring");
  const results = [{ outcome: "saved", message: "" }, { outcome: "conflict", message: "That stands." }, { outcome: "conflict", message: "That stands." }];
  assert.equal(stepWords(results), "1 crop answered. 2 crops not answered: That stands.");
  assert.equal(tileWords(crop, names, { waiting: { answer: "label", classes: ["ring"] } }).text, "Ring …");
  assert.equal(tileWords(crop, names, { waiting: { answer: "wrong_object", classes: [] } }).text, "wrong object …");
  assert.deepEqual([missingWords(0), unseenWords(0)], ["", ""]);
});
