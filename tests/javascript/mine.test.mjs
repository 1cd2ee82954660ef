/* Keys and arrows on the page of one's own answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { choiceFor, choices, movedPlace } from "../../static/js/labeling/mine.js";
import { KeyMap } from "../../static/js/shared/keys.js";

const CLASSES = [{ key: "g1", name: "G1" }, { key: "s, or <b>", name: "S" }];
const press = (key, own = {}) => choiceFor(new KeyMap(own, CLASSES.length).at(key), CLASSES);

test("a class's key names the class, also one with odd characters", () => {
  assert.equal(press("1"), "label:g1");
  assert.equal(press("2"), "label:s, or <b>");
  assert.equal(press("3"), null);
});

test("the keys of the reading room mean the same here, also one's own", () => {
  assert.deepEqual(["0", "x", "w", "z"].map((key) => press(key)), ["not_sure", "bad_crop", "wrong_object", "back"]);
  assert.equal(press("b", { bad: "b" }), "bad_crop");
  assert.equal(press("x", { bad: "b" }), null);
});

test("keys that answer nothing do nothing here", () => {
  for (const key of ["g", "n", "s", ".", " ", "Shift+1", "F5"]) assert.equal(press(key), null);
});

test("everything that can be answered can be chosen", () => {
  assert.deepEqual(choices(CLASSES).map(([value]) => value), ["label:g1", "label:s, or <b>", "not_sure", "bad_crop", "wrong_object"]);
});

test("arrows move through the grid and stay inside", () => {
  assert.deepEqual(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "End", "Home", "x"].map((key) => movedPlace(5, key, 4, 10)), [6, 4, 9, 1, 9, 0, 5]);
  assert.equal(movedPlace(0, "ArrowLeft", 4, 10), 0);
  assert.equal(movedPlace(9, "ArrowDown", 4, 10), 9);
});
