/* The grid's own logic: what is chosen, where tiles lie, what lies in a lasso, what is sent. */
import assert from "node:assert/strict";
import test from "node:test";

import { gridAction, gridClassKey } from "../../static/js/training/grid/keys.js";
import { asText, isInside, placesInside, thinned } from "../../static/js/training/grid/lasso.js";
import { unpack } from "../../static/js/training/grid/packed.js";
import { movedPlace, Selection } from "../../static/js/training/grid/selection.js";
import { isOpen, requestsFor, Steps } from "../../static/js/training/grid/steps.js";
import { layoutOf, placeOf, placesIn, scrolledTo, shownPlaces } from "../../static/js/training/grid/window.js";
import { savingWords, stepWords, tileWords } from "../../static/js/training/grid/words.js";

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

test("no class stands on a key of the grid, and no two on one", () => {
  const keys = Array.from({ length: 40 }, (_, at) => gridClassKey(at)).filter(Boolean);
  assert.equal(new Set(keys).size, keys.length);
  keys.forEach((key, index) => assert.deepEqual(gridAction(event(key), keys.length), { action: "class", index }));
  for (const [key, action] of [["a", "all"], ["s", "invert"], ["z", "undo"], ["Enter", "confirm"], [" ", "toggle"], ["0", "notSure"]]) {
    assert.equal(gridAction(event(key), keys.length).action, action);
  }
  assert.equal(gridAction(event("5"), 3), null);
  assert.equal(gridAction(event("s", { ctrlKey: true }), 3), null);
});

const DISPLAYS = [{ channels: [{ low: 1, high: 2 }] }, { channels: [{ low: 3, high: 4, on: false }] }];
const context = { ranking: "ab", displays: DISPLAYS, opinions: true, newId: () => "id", now: () => new Date(0) };

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
});

test("an answer names the ranking only where it confirms the prediction that was shown", () => {
  const crop = { id: 1, display: 0, predicted: "disc", answer: null };
  const by = (answer, classes, more = {}) => requestsFor([crop], { answer, classes }, { ...context, ...more })[0].items[0].suggested_by;
  assert.equal(by("label", ["disc"]), "ab");
  assert.equal(by("label", ["ring"]), "");
  assert.equal(by("not_sure", []), "");
  assert.equal(by("label", ["disc"], { opinions: false }), "");
});

function stepsWith(post) {
  const timers = [];
  const told = [];
  const events = { changed: () => {}, done: ({ kind }, reply) => told.push([kind, reply]), refused: (_, error) => told.push(["refused", error]) };
  let number = 0;
  const steps = new Steps({ post, events, newId: () => `undo-${(number += 1)}`, setTimer: (job) => timers.push(job) });
  return { steps, timers, told };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what could not be sent is sent again with the same ids, in order", async () => {
  const sent = [];
  let offline = true;
  const { steps, timers } = stepsWith(async (kind, body) => {
    if (offline) throw Object.assign(new Error("away"), { kind: "offline" });
    sent.push(body.items[0].client_id);
    return { results: body.items.map(({ client_id }) => ({ client_id, outcome: "saved" })) };
  });
  steps.add([{ items: [{ client_id: "a" }] }, { items: [{ client_id: "b" }] }]);
  await settled();
  assert.equal(steps.unsent, 2);
  assert.equal(steps.undo(), false);
  offline = false;
  timers.pop()();
  await settled();
  assert.deepEqual(sent, ["a", "b"]);
  assert.equal(steps.unsent, 0);
});

test("undo takes back what was saved in the last step, and nothing else", async () => {
  const bodies = [];
  const { steps } = stepsWith(async (kind, body) => {
    bodies.push([kind, body]);
    const outcome = (id) => (id === "b" ? "conflict" : "saved");
    return { results: body.items.map(({ client_id }) => ({ client_id, outcome: outcome(client_id) })) };
  });
  steps.add([{ items: [{ client_id: "first" }] }]);
  await settled();
  steps.add([{ items: [{ client_id: "a" }, { client_id: "b" }] }, { items: [{ client_id: "c" }] }]);
  await settled();
  assert.equal(steps.undo(), true);
  await settled();
  const undone = bodies.filter(([kind]) => kind === "undo").flatMap(([, { items }]) => items.map(({ answer }) => answer));
  assert.deepEqual(undone, ["a", "c"]);
  steps.undo();
  await settled();
  assert.deepEqual(bodies.at(-1)[1].items.map(({ answer }) => answer), ["first"]);
  assert.equal(steps.undo(), false);
});

test("a request that the server refuses is dropped and told of; the next one goes on", async () => {
  const { steps, told } = stepsWith(async (kind, body) => {
    if (body.bad) throw Object.assign(new Error("no such class"), { kind: "refused" });
    return { results: [] };
  });
  steps.add([{ items: [], bad: true }, { items: [] }]);
  await settled();
  assert.deepEqual(told.map(([kind]) => kind), ["refused", "bulk"]);
});

test("words: tiles say what was answered or predicted, steps why something was not taken", () => {
  const names = new Map([["disc", "Disc"], ["ring", "Ring"]]);
  const crop = { id: 4, predicted: "disc", probability: 0.914, value: 12.34, answer: null };
  assert.equal(tileWords(crop, names).text, "Disc 91 %");
  assert.match(tileWords(crop, names, { sort: "size", unit: "µm²" }).text, /^12 µm²$/);
  assert.equal(tileWords({ ...crop, answer: { kind: "label", label: "ring", is_bulk: true } }, names).text, "Ring");
  assert.equal(tileWords(crop, names, { other: "ring" }).text, "→ Ring");
  const results = [{ outcome: "saved", message: "" }, { outcome: "conflict", message: "That stands." }, { outcome: "conflict", message: "That stands." }];
  assert.equal(stepWords(results), "1 crop answered. 2 crops not answered: That stands.");
  assert.equal(savingWords({ unsent: 0, trouble: null, savedAt: null }).text, "");
  assert.match(savingWords({ unsent: 2, trouble: "offline" }).text, /2 answers wait: offline/);
});
