import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, CLASS_KEYS, KeyMap, classKey, isTyping, keyName, printed, usualKey } from "../../static/js/shared/keys.js";

const press = (key, code = "", more = {}) => ({ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
const asked = (event, classes = 7, own = {}) => new KeyMap(own, classes).asked(event);

test("digits answer with the class in that place", () => {
  assert.deepEqual(asked(press("3", "Digit3")), { action: "class", index: 2 });
  assert.deepEqual(asked(press("3", "Numpad3")), { action: "class", index: 2 });
  assert.equal(asked(press("9", "Digit9")), null);
});

test("the digit row answers on keyboards where it writes other signs", () => {
  assert.deepEqual(asked(press("é", "Digit2")), { action: "class", index: 1 });
});

test("zero is not sure, with shift it gives the reason; shift and another digit is a channel", () => {
  assert.deepEqual(asked(press("0", "Digit0")), { action: "notSure" });
  assert.deepEqual(asked(press(")", "Digit0", { shiftKey: true })), { action: "reasons" });
  assert.deepEqual(asked(press("@", "Digit2", { shiftKey: true })), { action: "channel", index: 1 });
});

test("no key does two things, whatever the number of classes", () => {
  for (const count of [0, 2, 10, 24, 25, 300]) {
    const map = new KeyMap({}, count);
    const keys = map.actions.map((action) => map.keyOf(action));
    assert.ok(keys.every(Boolean));
    assert.equal(new Set(keys).size, keys.length);
  }
});

test("every class that has a key is reached by it; the others are found by name", () => {
  const map = new KeyMap({}, 300);
  for (let index = 0; index < CLASS_KEYS; index += 1) {
    const key = classKey(index);
    const code = index < 9 ? `Digit${key}` : `Key${key.toUpperCase()}`;
    assert.deepEqual(map.asked(press(key, code)), { action: "class", index });
  }
  assert.equal(map.keyOf(`class:${CLASS_KEYS + 1}`), "");
  assert.deepEqual(map.asked(press("/", "Slash")), { action: "find" });
});

test("no class takes a letter that looks at the picture", () => {
  const map = new KeyMap({}, CLASS_KEYS);
  assert.deepEqual(map.asked(press(",", "Comma")), { action: "sitting" });
  const looks = { f: "field", r: "peek", m: "cycle", i: "invert", "+": "zoomIn", "-": "zoomOut", "[": "planeDown", "]": "planeUp" };
  for (const [key, action] of Object.entries(looks)) assert.deepEqual(map.asked(press(key)), { action });
});

test("plus needs no shift, and a key of one's own in its place comes first", () => {
  assert.deepEqual(asked(press("=", "Equal")), { action: "zoomIn" });
  assert.deepEqual(asked(press("=", "Equal"), 7, { skip: "=" }), { action: "skip" });
  assert.equal(asked(press("=", "Equal"), 7, { zoomIn: "u" }), null);
});

test("the keys that look at the picture can be others", () => {
  const map = new KeyMap(new KeyMap({}, 7).with("peek", "k"), 7);
  assert.deepEqual([map.at("k"), map.at("r")], [{ action: "peek" }, null]);
});

test("letters beyond the classes and the browser's own shortcuts are left alone", () => {
  assert.equal(asked(press("q", "KeyQ")), null);
  assert.equal(asked(press("z", "KeyZ", { ctrlKey: true })), null);
  for (const key of ["Escape", "Tab", "Shift", "Dead"]) assert.equal(keyName(press(key)), null);
});

test("upper case letters act like lower case ones", () => {
  assert.deepEqual(asked(press("Z", "KeyZ")), { action: "undo" });
});

test("a key of one's own takes the place of the usual one, which is then free", () => {
  const map = new KeyMap({ skip: "k" }, 7);
  assert.deepEqual(map.asked(press("k", "KeyK")), { action: "skip" });
  assert.equal(map.asked(press("s", "KeyS")), null);
});

test("a conflict names the other action, which keeps no key when it yields", () => {
  const map = new KeyMap({}, 7);
  assert.equal(map.conflict("skip", "w"), "wrong");
  assert.equal(map.conflict("skip", "1"), "class:1");
  assert.equal(map.conflict("skip", "s"), null);
  assert.equal(map.conflict("skip", "k"), null);
  const after = new KeyMap(map.with("skip", "w"), 7);
  assert.deepEqual([after.keyOf("skip"), after.keyOf("wrong"), after.at("w").action], ["w", "", "skip"]);
});

test("two actions can change places, and the usual keys leave nothing to keep", () => {
  let own = new KeyMap({}, 7).with("skip", "w");
  own = new KeyMap(own, 7).with("wrong", "s");
  assert.deepEqual(own, { skip: "w", wrong: "s" });
  own = new KeyMap(own, 7).with("skip", "s");
  own = new KeyMap(own, 7).with("wrong", "w");
  assert.deepEqual(own, {});
});

test("a letter that a person gave away does not move the other classes", () => {
  const map = new KeyMap({ bad: "q" }, 12);
  assert.deepEqual([map.keyOf("class:10"), map.keyOf("class:11")], ["", classKey(10)]);
});

test("keys are printed as people read them, and every action has one", () => {
  assert.deepEqual([" ", "Enter", "Shift+0", "ArrowLeft", "x"].map(printed), ["Space", "↵", "⇧0", "←", "x"]);
  for (const { id, label } of ACTIONS) assert.ok(usualKey(id) && label);
});

test("typing is typing, a slider or a colour is not", () => {
  const inside = (type) => ({ closest: () => ({ type }) });
  assert.equal(isTyping(inside("text")), true);
  for (const type of ["range", "color"]) assert.equal(isTyping(inside(type)), false);
  assert.equal(isTyping({ closest: () => null }), false);
});
