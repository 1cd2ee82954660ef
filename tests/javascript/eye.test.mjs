import assert from "node:assert/strict";
import { test } from "node:test";
import { wantedContexts, widthText } from "../../static/js/labeling/contexts.js";
import { DeepZoom, ringPath, tileUrl } from "../../static/js/labeling/deepzoom.js";
import { Keeping } from "../../static/js/labeling/keeping.js";
import { MOST_EXPERIMENTS, Windows, windowLog } from "../../static/js/labeling/windows.js";
import { ZSlider, planeText, planeUrl, steppedPlane } from "../../static/js/labeling/zslider.js";
import { beyondPath, dotPath } from "../../static/js/shared/overlay.js";
import { objective, objectiveText } from "../../static/js/shared/scalebar.js";
import { MOST_ZOOM, WHOLE, clamped, panned, pointAt, transformOf, visibleBox, wheelFactor, zoomedAt } from "../../static/js/shared/zoom.js";

const near = (one, other, by = 1e-9) => assert.ok(Math.abs(one - other) <= by, `${one} is not ${other}`);
const channels = [
  { name: "dna", color: "#00a2ff", low: 100, high: 900 },
  { name: "actin", color: "#50e050", low: 50, high: 400, on: false },
];

test("what lies under the pointer stays there while zooming", () => {
  const view = zoomedAt(WHOLE, 4, [0.4, 0.6]);
  const point = [0.45, 0.55];
  const before = pointAt(view, point);
  const after = pointAt(zoomedAt(view, 1.5, point), point);
  near(before[0], after[0]);
  near(before[1], after[1]);
});

test("zooming in and out again ends where it began, and never beyond the borders", () => {
  assert.deepEqual(zoomedAt(zoomedAt(WHOLE, 3, [0.1, 0.9]), 1 / 3, [0.5, 0.5]), WHOLE);
  assert.equal(zoomedAt(WHOLE, 1e9).zoom, MOST_ZOOM);
  assert.equal(zoomedAt(WHOLE, 1e-9).zoom, 1);
  for (const view of [{ zoom: 2, x: -4, y: 9 }, { zoom: 16, x: 0.99, y: 0 }]) {
    const [x, y, width, height] = visibleBox(clamped(view), 64, 64);
    assert.ok(x >= 0 && y >= 0 && x + width <= 64 + 1e-9 && y + height <= 64 + 1e-9);
  }
});

test("a drag moves the picture with the hand, and at the whole crop there is nothing to move", () => {
  const view = panned({ zoom: 4, x: 0.5, y: 0.5 }, 0.2, -0.1);
  near(view.x, 0.45);
  near(view.y, 0.525);
  assert.deepEqual(panned(WHOLE, 0.3, 0.3), WHOLE);
});

test("picture and outline are moved alike", () => {
  const view = { zoom: 2, x: 0.25, y: 0.5 };
  assert.deepEqual(visibleBox(view, 64, 64), [0, 16, 32, 32]);
  assert.equal(transformOf(view), "translate(0%, -50%) scale(2)");
});

test("one turn of the wheel at most doubles, whatever unit it is counted in", () => {
  assert.equal(wheelFactor({ deltaY: -1e6 }), 2);
  assert.equal(wheelFactor({ deltaY: 3, deltaMode: 1 }), wheelFactor({ deltaY: 48 }));
});

test("40x is a quarter of a micrometre a pixel, 20x half of one", () => {
  near(objective(0.25), 40);
  near(objective(0.5), 20);
  assert.equal(objectiveText(0.2533), "≈ 39x at this zoom");
  for (const unknown of [null, 0, NaN, Infinity]) assert.equal(objectiveText(unknown), "");
});

test("what lies beyond the image is hatched, and a whole picture is not", () => {
  assert.equal(beyondPath(null, 64, 64), "");
  assert.equal(beyondPath([0, 10, 64, 64], 64, 64), "M0 0H64V64H0ZM0 10H64V64H0Z");
  assert.equal(dotPath([3, 4]), "M3 4h0");
});

test("a channel is shown as the server says until somebody changes it, and again after a reset", () => {
  const windows = new Windows();
  assert.deepEqual(windows.shown(channels).map(({ low, gamma, on }) => [low, gamma, on]), [[100, 1, true], [50, 1, false]]);
  windows.change(channels, 0, { low: 200, gamma: 0.5 });
  windows.toggle(channels[1]);
  windows.recolor(channels[0], "#ff0000");
  windows.toggleInvert();
  assert.deepEqual(windowLog(windows.shown(channels))[0], { low: 200, high: 900, gamma: 0.5, on: true, color: "#ff0000" });
  assert.equal(windows.shown(channels)[1].on, true);
  assert.ok(windows.isChanged(channels) && windows.invert);
  windows.reset(channels);
  assert.deepEqual(windows.shown(channels), Windows.plainly(channels));
  assert.ok(!windows.invert);
});

test("a window of one experiment is none of another's, a colour is a channel's everywhere", () => {
  const windows = new Windows();
  const other = channels.map((channel) => ({ ...channel, high: channel.high + 1 }));
  windows.change(channels, 0, { low: 7 });
  windows.recolor(channels[0], "#123456");
  assert.equal(windows.shown(other)[0].low, 100);
  assert.equal(windows.shown(other)[0].color, "#123456");
});

test("grey goes through the channels one by one and comes back to the composite", () => {
  const windows = new Windows();
  const seen = [0, 1, 2].map(() => {
    windows.cycle(channels);
    return windows.shown(channels).map(({ on, color }) => (on ? color : ""));
  });
  assert.deepEqual(seen, [["#ffffff", ""], ["", "#ffffff"], ["#00a2ff", ""]]);
});

test("peeking and a locked view show what the server says", () => {
  const kept = new Windows();
  kept.change(channels, 0, { low: 300 });
  kept.showAlone(channels, 1);
  kept.toggleInvert();
  for (const windows of [new Windows({ kept: kept.plain(), locked: true }), Object.assign(new Windows({ kept: kept.plain() }), { peeking: true })]) {
    assert.deepEqual(windows.shown(channels), Windows.plainly(channels));
    assert.equal(windows.invert, false);
  }
});

test("what is kept comes back the same, and only the newest experiments are kept", () => {
  const windows = new Windows();
  for (let number = 0; number < 3 * MOST_EXPERIMENTS; number += 1) {
    windows.change([{ ...channels[0], low: number }], 0, { high: 1000 + number });
  }
  windows.toggle(channels[1]);
  const kept = JSON.parse(JSON.stringify(windows.plain()));
  assert.equal(kept.experiments.length, MOST_EXPERIMENTS);
  assert.ok(JSON.stringify(kept).length < 8000);
  const again = new Windows({ kept });
  const newest = [{ ...channels[0], low: 3 * MOST_EXPERIMENTS - 1 }];
  assert.deepEqual(again.shown(newest), windows.shown(newest));
  assert.equal(again.isOn(channels[1]), true);
});

test("views are kept per person, survive a broken storage, and a newer one of the account wins", async () => {
  const memory = new Map();
  const storage = { getItem: (name) => memory.get(name) ?? null, setItem: (name, text) => memory.set(name, text) };
  new Keeping({ user: 1, storage }).keep({ names: [] }, 10);
  assert.equal(new Keeping({ user: 1, storage }).local().at, 10);
  assert.equal(new Keeping({ user: 2, storage }).local(), null);
  const broken = { getItem: () => "{", setItem: () => { throw new Error("full"); } };
  new Keeping({ user: 1, storage: broken }).keep({});
  assert.equal(new Keeping({ user: 1, storage: broken }).local(), null);
  const account = (at) => async () => ({ ok: true, json: async () => ({ view: { windows: { at } } }) });
  const asked = (at) => new Keeping({ user: 1, url: "/p/", storage, fetcher: account(at) }).newer();
  assert.deepEqual(await asked(11), { at: 11 });
  assert.equal(await asked(9), null);
  assert.equal(await new Keeping({ user: 1, storage }).newer(), null);
});

test("planes are counted from the maximum up and stop at both ends", () => {
  assert.equal(steppedPlane(null, -1, 7), null);
  assert.equal(steppedPlane(null, 1, 7), 0);
  assert.equal(steppedPlane(6, 1, 7), 6);
  assert.equal(steppedPlane(0, -1, 7), null);
  assert.equal(planeText(2, 7), "z 3 of 7");
  assert.equal(planeText(null, 7), "max of 7 planes");
  assert.equal(planeUrl({ pixels: "/p/?v=1" }, 2), "/p/?v=1&z=2");
});

class FakeElement extends EventTarget {
  hidden = false;
  textContent = "";
}

test("a plane that cannot be had leaves another one that was chosen meanwhile", async () => {
  const elements = new Map();
  const find = (id) => elements.get(id) ?? elements.set(id, new FakeElement()).get(id);
  const waiting = new Map();
  const load = (url) => new Promise((arrive, fail) => waiting.set(url, { arrive, fail }));
  const told = [];
  const slider = new ZSlider(find, { load, changed: () => {}, told: (text) => told.push(text) });
  const crop = { id: 1, pixels: "/p/", depth: 5, is_rgb: false };
  slider.imageOf(crop, {});
  const steps = [slider.step(1), slider.step(1)];
  waiting.get("/p/?z=0").fail(new Error("gone"));
  await steps[0];
  assert.deepEqual([slider.plane, find("z-text").textContent, told], [1, "z 2 of 5", []]);
  waiting.get("/p/?z=1").fail(new Error("gone"));
  await steps[1];
  assert.deepEqual([slider.plane, told], [null, ["Plane 2 cannot be shown: gone"]]);
});

test("the viewer forgets the pixels of tiles that its library let go, however long it stays open", () => {
  const zoom = new DeepZoom(null, {}, { painter: null });
  const canvases = Array.from({ length: 1000 }, () => ({ width: 256 }));
  canvases.forEach((canvas, place) => {
    zoom.keep(canvas, { pixels: place });
    if (place >= 60) canvases[place - 60].width = 0; // As the library does with the oldest.
  });
  assert.ok(zoom.tiles.size <= 96);
  for (const canvas of canvases) if (canvas.width) assert.ok(zoom.tiles.has(canvas));
});

test("surroundings are asked for once: the crop's, then the next one's, without what is loaded elsewhere", () => {
  const crop = (id) => ({ context: `${id}/4`, detail: null, contexts: [2, 4, 16].map((scale) => ({ scale, url: `${id}/${scale}` })) });
  assert.deepEqual(wantedContexts(crop("a"), crop("b")), ["a/2", "a/16", "b/2", "b/16"]);
  assert.deepEqual(wantedContexts(crop("a"), null), ["a/2", "a/16"]);
  assert.equal(widthText({ um_per_px: 0.5, shape: [1, 64, 64] }, 4), "130 µm");
  assert.equal(widthText({ um_per_px: null, shape: [1, 64, 64] }, 4), "");
});

test("the library's levels are the server's, counted from the other end", () => {
  const field = { tiles: "/field/", version: "ab", levels: 4 };
  assert.equal(tileUrl(field, 3, 1, 2), "/field/0/1/2/?v=ab");
  assert.equal(tileUrl(field, 0, 0, 0), "/field/3/0/0/?v=ab");
  assert.ok(ringPath([10, 10], 5).startsWith("M5 10"));
});
