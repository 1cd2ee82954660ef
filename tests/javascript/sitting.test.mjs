import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, passedCrops, sittingLine, wishes } from "../../static/js/labeling/sitting.js";

const USUAL = { stay_on: "", stay_for: 20, left: null, not_sure_ceiling: null, easy_share: 0, paused: false, held_back: false };

test("nothing is said where crops come as usual, or before the server has said how", () => {
  assert.equal(sittingLine(USUAL), "");
  assert.equal(sittingLine({}), "");
});

test("what is chosen is said, with the answers on their way counted in", () => {
  const staying = { ...USUAL, stay_on: "sample", left: 12 };
  assert.equal(sittingLine(staying), "staying on this slide or well: 12 left");
  assert.equal(sittingLine({ ...staying, easy_share: 0.2 }, 2), "staying on this slide or well: 10 left · easy 20 %");
  assert.equal(sittingLine({ ...USUAL, not_sure_ceiling: 0.5 }), "not sure up to 50 %");
  assert.equal(sittingLine({ ...USUAL, not_sure_ceiling: 0 }), "not sure up to 0 %");
});

test("where the next place begins is not known before the server says so", () => {
  assert.equal(sittingLine({ ...USUAL, stay_on: "image", left: 1 }, 1), "staying on one image at a time");
});

test("first answers and skipped crops pass, edits do not, and an undo takes one back", () => {
  const item = (kind, body = {}) => ({ kind, body });
  assert.equal(passedCrops([item("answer"), item("skip"), item("answer", { replaces: "a" }), item("edit")]), 2);
  assert.equal(passedCrops([item("answer"), item("undo")]), 0);
});

test("the form speaks the API's words, and leaves out what nobody answered", () => {
  assert.deepEqual(wishes({ stay_on: "image", stay_for: "3", not_sure_ceiling: "0.5", easy_share: "0.1" }), {
    stay_on: "image", stay_for: 3, not_sure_ceiling: 0.5, easy_share: 0.1,
  });
  assert.deepEqual(wishes({ stay_on: "", not_sure_ceiling: "" }), { stay_on: "", not_sure_ceiling: null });
});

test("only what is changed is sent: nothing for a form that says what is so", () => {
  assert.deepEqual(changes({ stay_on: "", not_sure_ceiling: null, easy_share: 0 }, USUAL), {});
  assert.deepEqual(changes({ stay_on: "image", stay_for: 20, easy_share: 0.2 }, USUAL), { stay_on: "image", easy_share: 0.2 });
});
