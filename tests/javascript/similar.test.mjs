import assert from "node:assert/strict";
import { test } from "node:test";
import { movedPlace } from "../../static/js/training/similar.js";

test("arrows move by one and by a row, and stay inside", () => {
  assert.equal(movedPlace(0, "ArrowRight", 8, 50), 1);
  assert.equal(movedPlace(0, "ArrowLeft", 8, 50), 0);
  assert.equal(movedPlace(3, "ArrowDown", 8, 50), 11);
  assert.equal(movedPlace(3, "ArrowUp", 8, 50), 3);
  assert.equal(movedPlace(48, "ArrowDown", 8, 50), 48);
  assert.equal(movedPlace(49, "ArrowRight", 8, 50), 49);
});

test("Home and End lead to the first and the last", () => {
  assert.equal(movedPlace(7, "Home", 8, 50), 0);
  assert.equal(movedPlace(7, "End", 8, 50), 49);
  assert.equal(movedPlace(7, "x", 8, 50), 7);
});
