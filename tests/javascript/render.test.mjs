import assert from "node:assert/strict";
import { test } from "node:test";
import { fittedWindow, histogram } from "../../static/js/shared/pixels.js";
import { channelTable, parseColor, renderRGBA } from "../../static/js/shared/render.js";

const grey = (low, high, more = {}) => [{ color: "#ffffff", low, high, on: true, ...more }];
const lights = (rgba) => [...rgba].filter((_, at) => at % 4 === 0);

test("the window's low end is black, its high end white, and the middle lies between", () => {
  const rgba = renderRGBA(Uint16Array.of(100, 300, 500, 9000), [1, 2, 2], grey(100, 500));
  assert.deepEqual(lights(rgba), [0, 128, 255, 255]);
});

test("a 16-bit crop that uses 0 to 5000 of 65535 is visible in its own window", () => {
  const pixels = Uint16Array.from({ length: 64 }, (_, at) => (at * 5000) / 63);
  const mean = lights(renderRGBA(pixels, [1, 8, 8], grey(0, 5000))).reduce((sum, light) => sum + light, 0) / 64;
  assert.ok(mean > 100, `mean luminance ${mean}`);
});

test("brighter pixels never look darker", () => {
  const pixels = Float32Array.from({ length: 100 }, (_, at) => at - 20);
  const seen = lights(renderRGBA(pixels, [1, 10, 10], grey(-3, 61.5)));
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
});

test("channels add up and stop at white", () => {
  const channels = [
    { color: "#00ffff", low: 0, high: 1, on: true },
    { color: "#ff00ff", low: 0, high: 1, on: true },
  ];
  assert.deepEqual([...renderRGBA(Uint8Array.of(1, 1), [2, 1, 1], channels)], [255, 255, 255, 255]);
  assert.deepEqual([...renderRGBA(Uint8Array.of(1, 0), [2, 1, 1], channels)], [0, 255, 255, 255]);
});

test("a channel that is off adds nothing", () => {
  assert.deepEqual([...renderRGBA(Uint8Array.of(9), [1, 1, 1], grey(0, 9, { on: false }))], [0, 0, 0, 255]);
});

test("inverting twice is no change, and inverted light plus light is white", () => {
  const pixels = Uint8Array.of(0, 50, 200, 255);
  const plain = renderRGBA(pixels, [1, 2, 2], grey(0, 255));
  const inverted = renderRGBA(pixels, [1, 2, 2], grey(0, 255), { invert: true });
  assert.deepEqual(lights(plain).map((light, at) => light + lights(inverted)[at]), [255, 255, 255, 255]);
});

test("a colour photograph keeps its colours, whatever the windows say", () => {
  const rgba = renderRGBA(Uint8Array.of(10, 20, 30), [3, 1, 1], grey(200, 255), { isRgb: true, dtype: "uint8" });
  assert.deepEqual([...rgba], [10, 20, 30, 255]);
});

test("an empty window does not divide by zero", () => {
  assert.ok(renderRGBA(Uint8Array.of(5, 7), [1, 1, 2], grey(5, 5)).every(Number.isFinite));
});

test("channels without settings are white", () => {
  assert.equal(channelTable([], [2, 1, 1]).length, 2);
  assert.deepEqual(parseColor("nonsense"), [1, 1, 1]);
  assert.deepEqual(parseColor("#ff0000"), [1, 0, 0]);
});

test("gamma leaves both ends alone, brightens below one and darkens above", () => {
  const pixels = Uint16Array.of(0, 250, 1000);
  const at = (gamma) => lights(renderRGBA(pixels, [1, 1, 3], grey(0, 1000, { gamma })));
  assert.deepEqual(at(1), [0, 64, 255]);
  assert.deepEqual(at(0.5), [0, 128, 255]);
  assert.deepEqual(at(2), [0, 16, 255]);
  assert.deepEqual(at(0), at(1));
});

test("what is no finite number is black and breaks no window", () => {
  const pixels = Float32Array.of(NaN, Infinity, -Infinity, 0.5, 1);
  for (const gamma of [1, 0.5]) {
    assert.deepEqual(lights(renderRGBA(pixels, [1, 1, 5], grey(0, 1, { gamma }))).slice(0, 3), [0, 0, 0]);
  }
  assert.deepEqual(fittedWindow(pixels), { low: 0.5, high: 1 });
  assert.equal(histogram(pixels, 0, 1).reduce((sum, count) => sum + count, 0), 2);
  assert.deepEqual(fittedWindow(Float32Array.of(NaN)), { low: 0, high: 1 });
});

test("a dozen channels are all seen, and one pixel is a picture", () => {
  const colors = ["#ff0000", "#00ff00", "#0000ff"];
  const channels = Array.from({ length: 12 }, (_, at) => ({ color: colors[at % 3], low: 0, high: 400, on: true }));
  assert.deepEqual([...renderRGBA(Uint16Array.from({ length: 12 }, () => 50), [12, 1, 1], channels)], [128, 128, 128, 255]);
});
