import assert from "node:assert/strict";
import test from "node:test";

import { decisionFor, lasted } from "../../static/js/labeling/discuss.js";

const CLASSES = [{ key: "disc" }, { key: "ring" }];

test("a class's key decides on it, and there is no class behind a key beyond the last", () => {
  assert.equal(decisionFor({ action: "class", index: 1 }, CLASSES), "label:ring");
  assert.equal(decisionFor({ action: "class", index: 2 }, CLASSES), null);
});

test("not sure stands for not decidable, undo takes back, and nothing else decides", () => {
  assert.equal(decisionFor({ action: "notSure" }, CLASSES), "not_sure");
  assert.equal(decisionFor({ action: "undo" }, CLASSES), "back");
  for (const action of ["bad", "wrong", "skip", "comments"]) assert.equal(decisionFor({ action }, CLASSES), null);
  assert.equal(decisionFor(null, CLASSES), null);
});

test("a session's time is told in whole minutes and never runs backwards", () => {
  const started = "2026-01-01T10:00:00Z";
  const after = (seconds) => lasted(started, Date.parse(started) + seconds * 1000);
  assert.deepEqual([0, 59, 60, 1259, -30].map(after), ["0 minutes", "0 minutes", "1 minute", "20 minutes", "0 minutes"]);
});
