import assert from "node:assert/strict";
import { test } from "node:test";
import { heldPlaces, matches } from "../../static/js/labeling/classes.js";
import { Note } from "../../static/js/labeling/note.js";
import { refusalText, unopenedText } from "../../static/js/labeling/notices.js";
import { reasonAt } from "../../static/js/labeling/reasons.js";
import { unreachable, unsentAnswers } from "../../static/js/labeling/status.js";
import { suggestionDetail } from "../../static/js/labeling/suggestion.js";
import { Attention } from "../../static/js/shared/attention.js";
import { newId } from "../../static/js/shared/ids.js";
import { Company } from "../../static/js/shared/neighbours.js";
import { isStill, onPress } from "../../static/js/shared/press.js";

function watched(capMs = 1000) {
  const clock = { at: 0 };
  return { clock, attention: new Attention({ capMs, now: () => clock.at }) };
}

test("the time on a crop leaves out what is longer than the cap", () => {
  const { clock, attention } = watched();
  attention.start();
  clock.at = 400;
  attention.sign();
  clock.at = 60_000;
  assert.equal(attention.ms(), 1400);
});

test("no time passes while the page is hidden, and a new crop begins at nothing", () => {
  const { clock, attention } = watched();
  attention.start();
  clock.at = 300;
  attention.see(false);
  clock.at = 900;
  attention.sign();
  attention.see(true);
  clock.at = 1000;
  assert.equal(attention.ms(), 400);
  attention.start();
  assert.equal(attention.ms(), 0);
});

test("identities are unique UUIDs with and without the browser's own", () => {
  const old = { getRandomValues: (bytes) => crypto.getRandomValues(bytes) };
  const ids = Array.from({ length: 200 }, (_, index) => newId(index % 2 ? old : crypto));
  assert.equal(new Set(ids).size, 200);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

class FakeButton extends EventTarget {
  contains(other) {
    return other === this;
  }
}

function pointer(kind, x, more = {}) {
  return Object.assign(new Event(kind), { clientX: x, clientY: 0, isPrimary: true, button: 0, ...more });
}

test("one press is one answer: a double click, and a slip of less than 4 px over the edge", () => {
  globalThis.document = new EventTarget();
  const clock = { at: 0 };
  let presses = 0;
  const button = new FakeButton();
  onPress(button, () => (presses += 1), () => clock.at);
  const click = () => button.dispatchEvent(Object.assign(new Event("click"), { detail: 1 }));
  click();
  clock.at = 120;
  click();
  assert.equal(presses, 1);
  clock.at = 1000;
  button.dispatchEvent(pointer("pointerdown", 10));
  document.dispatchEvent(pointer("pointerup", 13));
  assert.equal(presses, 2);
  clock.at = 2000;
  button.dispatchEvent(pointer("pointerdown", 10));
  document.dispatchEvent(pointer("pointerup", 14.5));
  assert.equal(presses, 2);
  assert.equal(isStill({ x: 0, y: 0 }, { x: 2, y: 3 }), true);
  delete globalThis.document;
});

test("classes are found by parts of their names, those that begin so first", () => {
  const classes = ["late prophase", "prophase", "metaphase, plate", "<script>"].map((name) => ({ name }));
  assert.deepEqual(matches(classes, "PRO"), [1, 0]);
  assert.deepEqual(matches(classes, "plate meta"), [2]);
  assert.deepEqual(matches(classes, "<scr"), [3]);
  assert.deepEqual(matches(classes, ""), [0, 1, 2, 3]);
  assert.deepEqual(matches(classes, "g2"), []);
});

test("a class that is gone leaves its place empty, one that came stands last, and one that came back is in its place", () => {
  const [round, long, other, late] = ["round", "long", "other", "late"].map((key) => ({ key, name: key }));
  const held = heldPlaces([round, long, other], [late, { ...other, name: "rest" }, long]);
  assert.deepEqual(held, [{ ...round, isGone: true }, long, { ...other, name: "rest" }, late]);
  assert.deepEqual(matches(held, ""), [1, 2, 3]);
  assert.deepEqual(heldPlaces(held, [round, long, other, late]), [round, long, other, late]);
});

test("a plain digit names a reason, as far as there are reasons", () => {
  assert.equal(reasonAt({ code: "Digit2" }, 4), 1);
  assert.equal(reasonAt({ code: "Numpad4" }, 3), null);
  assert.equal(reasonAt({ code: "Digit1", shiftKey: true }, 4), null);
  assert.equal(reasonAt({ code: "KeyQ", key: "q" }, 4), null);
  assert.equal(reasonAt({ code: "Digit2", key: "²", getModifierState: () => true }, 4), null);
});

test("only new answers on their way add to what is read", () => {
  const sent = (kind, replaces = null) => ({ kind, body: { replaces } });
  const items = [sent("answer"), sent("answer"), sent("answer", "x"), sent("edit"), sent("skip"), sent("undo")];
  assert.equal(unsentAnswers(items), 1);
});

test("a broken line says what is kept, and a suggestion who says so", () => {
  assert.match(unreachable(12), /Your 12 answers are kept/);
  assert.doesNotMatch(unreachable(0), /kept/);
  assert.equal(suggestionDetail({ probability: 0.617, model: "0f3ab2" }), "62 % · model 0f3a");
});

test("who gives no sign for longer than the cap, or hides the page, is not here", () => {
  const { clock, attention } = watched();
  attention.start();
  clock.at = 1000;
  assert.equal(attention.isHere(), true);
  clock.at = 1001;
  assert.equal(attention.isHere(), false);
  attention.sign();
  assert.equal(attention.isHere(), true);
  attention.see(false);
  assert.equal(attention.isHere(), false);
});

/** Channels that reach each other at once, as a browser's do a moment later. */
function fakeChannels() {
  const all = [];
  return class {
    constructor(name) {
      Object.assign(this, { name });
      all.push(this);
    }
    postMessage(data) {
      for (const other of all) if (other !== this && other.name === this.name) other.onmessage({ data });
    }
  };
}

test("pages of one person and study know of each other, whichever came first, until one goes", () => {
  const Channel = fakeChannels();
  const [one, two, elsewhere] = [["room", "a"], ["room", "b"], ["other", "c"]].map(([name, own]) => new Company(name, own, Channel));
  for (const page of [one, two, elsewhere]) page.come();
  assert.deepEqual([one.isAlone, two.isAlone, elsewhere.isAlone], [false, false, true]);
  two.go();
  assert.equal(one.isAlone, true);
});

test("a page that cannot hear others is alone", () => {
  const page = new Company("room", "a", null);
  page.come();
  assert.equal(page.isAlone, true);
});

const NAMES = new Map([["round", "Round"]]);

test("a refusal says what was not taken, of which crop where that may be said, and what comes of it", () => {
  const body = { answer: "label", classes: ["round"] };
  const told = refusalText({ kind: "answer", body }, "That class is gone.", { names: NAMES, crop: { key: "0f3a" }, comesAgain: true });
  assert.equal(told, "An answer was not taken: Round for crop 0f3a. That class is gone. The crop comes again: answer it anew.");
  const blind = refusalText({ kind: "edit", body: { ...body, replaces: "x" } }, "no", { names: NAMES, crop: { key: null }, comesAgain: false });
  assert.equal(blind, "A change was not taken: Round. no. Your answer before it stands.");
  const undo = refusalText({ kind: "undo", body: { answer: "some-id" } }, "There is none.", { names: NAMES, crop: null, comesAgain: false });
  assert.ok(undo.startsWith("Not undone. There is none.") && !undo.includes("some-id"));
});

test("new guidelines are named with their number, day and what is new, where that was said", () => {
  const version = { number: 2, since: "2026-11-30", change: "Folds are bad." };
  assert.equal(unopenedText(version), "Guidelines version 2 since 2026-11-30: Folds are bad. Press g to read them.");
  assert.equal(unopenedText({ ...version, change: "" }), "Guidelines version 2 since 2026-11-30. Press g to read them.");
});

test("a note that is closed goes with no answer and comes back when it is opened again", () => {
  const input = { value: "", parentElement: { hidden: true }, addEventListener() {}, focus() {} };
  globalThis.document ??= { activeElement: null };
  const note = new Note({ find: () => input });
  note.show({ id: 1 }, null);
  note.open();
  input.value = "a fold";
  assert.equal(note.close(), true);
  assert.equal(note.text, "");
  note.show({ id: 2 }, null);
  note.open();
  assert.equal(note.text, "");
  assert.equal(note.close(), false);
  note.show({ id: 1 }, null);
  assert.equal(note.text, "");
  note.open();
  assert.equal(note.text, "a fold");
});
