import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePixels, fittedWindow, histogram, histogramPath, parseShape, plane, sliderRange } from "../../static/js/shared/pixels.js";

test("16-bit pixels are little-endian", () => {
  const pixels = decodePixels(Uint8Array.of(0x39, 0x30, 0xff, 0xff).buffer, "uint16", [1, 1, 2]);
  assert.deepEqual([...pixels], [12345, 65535]);
});

test("too few bytes are refused with both sizes", () => {
  assert.throws(() => decodePixels(new ArrayBuffer(3), "uint8", [1, 2, 2]), /3 bytes came for 1 x 2 x 2/);
});

test("an unknown type is refused by name", () => {
  assert.throws(() => decodePixels(new ArrayBuffer(8), "float64", [1, 1, 1]), /float64/);
});

test("a shape is three whole numbers", () => {
  assert.deepEqual(parseShape("3,40,64"), [3, 40, 64]);
  for (const bad of ["", null, "3,40", "0,1,1", "a,b,c"]) assert.throws(() => parseShape(bad));
});

test("planes follow each other", () => {
  assert.deepEqual([...plane(Uint8Array.of(1, 2, 3, 4), [2, 1, 2], 1)], [3, 4]);
});

test("a fitted window ignores a single hot pixel and is never empty", () => {
  const values = Uint16Array.from({ length: 2000 }, (_, at) => at % 100);
  values[7] = 65535;
  assert.ok(fittedWindow(values).high < 100);
  const { low, high } = fittedWindow(new Uint8Array(10));
  assert.ok(high > low);
});

test("sliders reach beyond the window but not beyond the type", () => {
  assert.deepEqual(sliderRange({ low: 100, high: 1100 }, "uint16"), { min: 0, max: 3100, step: 6 });
  assert.equal(sliderRange({ low: 0, high: 255 }, "uint8").max, 255);
  assert.ok(sliderRange({ low: 0, high: 1 }, "float32").min < 0);
});

test("a histogram counts every pixel once", () => {
  const counts = histogram(Float32Array.of(-5, 0, 1, 2, 3, 99), 0, 4, 4);
  assert.deepEqual([...counts], [2, 1, 1, 2]);
  assert.match(histogramPath(counts, 40, 10), /^M0 10V0\.0H10\.0.*V10Z$/);
});
