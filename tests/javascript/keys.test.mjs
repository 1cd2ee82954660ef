import assert from "node:assert/strict";
import { test } from "node:test";
import { actionFor, classKey, isTyping } from "../../static/js/shared/keys.js";

const press = (key, code = "", more = {}) => ({ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test("digits answer with the class in that place", () => {
  assert.deepEqual(actionFor(press("3", "Digit3"), 7), { action: "class", index: 2 });
  assert.deepEqual(actionFor(press("3", "Numpad3"), 7), { action: "class", index: 2 });
  assert.equal(actionFor(press("9", "Digit9"), 7), null);
});

test("the digit row answers on keyboards where it writes other signs", () => {
  assert.deepEqual(actionFor(press("é", "Digit2"), 7), { action: "class", index: 1 });
});

test("zero is not sure, shift and a digit is a channel", () => {
  assert.deepEqual(actionFor(press("0", "Digit0"), 2), { action: "notSure" });
  assert.deepEqual(actionFor(press("@", "Digit2", { shiftKey: true }), 2), { action: "channel", index: 1 });
});

test("twenty-six classes have as many different keys, and none is taken by something else", () => {
  const keys = Array.from({ length: 26 }, (_, index) => classKey(index));
  assert.equal(new Set(keys).size, 26);
  for (const taken of ["x", "w", "-", "+", "f", "r", "m", "[", "]", "z", "0", "?", "g", "i", "n"]) assert.ok(!keys.includes(taken));
});

test("every class key leads back to its class", () => {
  for (let index = 0; index < 26; index += 1) {
    const key = classKey(index);
    const code = index < 9 ? `Digit${key}` : `Key${key.toUpperCase()}`;
    assert.deepEqual(actionFor(press(key, code), 26), { action: "class", index });
  }
});

test("letters beyond the classes and the browser's own shortcuts are left alone", () => {
  assert.equal(actionFor(press("q", "KeyQ"), 7), null);
  assert.equal(actionFor(press("z", "KeyZ", { ctrlKey: true }), 7), null);
});

test("upper case letters act like lower case ones", () => {
  assert.deepEqual(actionFor(press("Z", "KeyZ"), 7), { action: "undo" });
});

test("typing is typing, a slider is not", () => {
  const inside = (type) => ({ closest: () => ({ type }) });
  assert.equal(isTyping(inside("text")), true);
  assert.equal(isTyping(inside("range")), false);
  assert.equal(isTyping({ closest: () => null }), false);
});
