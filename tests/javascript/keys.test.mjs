import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, CLASS_KEYS, KeyMap, classKey, isTyping, keyNames, printed, usualKey } from "../../static/js/shared/keys.js";

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

const altGr = (key, code, more = {}) => press(key, code, { getModifierState: (name) => name === "AltGraph", ...more });

test("what AltGr writes on a digit is that sign, on Windows too, where it also says Ctrl and Alt", () => {
  for (const more of [{}, { ctrlKey: true, altKey: true }]) {
    assert.deepEqual(asked(altGr("[", "Digit8", more), 9), { action: "planeDown" });
    assert.deepEqual(asked(altGr("]", "Digit9", more), 9), { action: "planeUp" });
    assert.deepEqual(asked(altGr("[", "Digit5", more), 9), { action: "planeDown" });
    for (const [key, code] of [["{", "Digit7"], ["@", "KeyQ"], ["8", "Digit8"], ["x", "KeyX"]]) assert.equal(asked(altGr(key, code, more), 24), null);
  }
});

test("a sign that shift writes on a digit does what it is bound to, before the digit's place does", () => {
  const shifted = (key, code) => press(key, code, { shiftKey: true });
  assert.deepEqual(asked(shifted("/", "Digit7")), { action: "find" });
  assert.deepEqual(asked(shifted("=", "Digit0")), { action: "reasons" });
  assert.deepEqual(asked(shifted("&", "Digit7")), { action: "channel", index: 6 });
  assert.deepEqual(asked(shifted("Dead", "Digit6")), { action: "channel", index: 5 });
});

test("on a French row digits are answers without shift and channels with it, also where a sign is bound", () => {
  for (const [place, sign] of [..."&é\"'(-è_ç"].entries()) {
    assert.deepEqual(asked(press(sign, `Digit${place + 1}`), 9), { action: "class", index: place });
    assert.deepEqual(asked(press(String(place + 1), `Digit${place + 1}`, { shiftKey: true }), 9), { action: "channel", index: place });
  }
});

test("letters of other alphabets act by their place, and as themselves where somebody chose them", () => {
  assert.deepEqual(asked(press("я", "KeyZ")), { action: "undo" });
  assert.deepEqual(asked(press("Ч", "KeyX", { shiftKey: true })), { action: "bad" });
  assert.deepEqual(asked(press("χ", "KeyX")), { action: "bad" });
  assert.deepEqual(asked(press("х", "BracketLeft")), { action: "planeDown" });
  assert.deepEqual(asked(press("х", "BracketLeft"), 7, { skip: "х" }), { action: "skip" });
  assert.equal(new KeyMap({}, 7).nameOf(press("л", "KeyK")), "k");
});

test("Latin letters act as what they write, wherever they lie", () => {
  assert.deepEqual(asked(press("z", "KeyY")), { action: "undo" });
  assert.equal(asked(press("ö", "KeyX")), null);
});

test("a channel's key can be another, and a key is kept by the name under which it acts", () => {
  const map = new KeyMap(new KeyMap({}, 7).with("channel:7", "k"), 7);
  assert.deepEqual(map.asked(press("k", "KeyK")), { action: "channel", index: 6 });
  assert.equal(map.nameOf(press("/", "Digit7", { shiftKey: true })), "/");
  assert.equal(map.nameOf(press("&", "Digit1", { shiftKey: true })), "Shift+1");
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
  for (const key of ["Escape", "Tab", "Shift", "Dead"]) assert.deepEqual(keyNames(press(key)), []);
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
