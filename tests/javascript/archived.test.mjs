/* A reading room that is open while its study is archived: it says so once nothing is left, and never before. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ARCHIVED, StatusBar } from "../../static/js/labeling/statusbar.js";

function curtain({ current = null, ended = true, problem = null, ...sitting }) {
  const session = { sitting: { held_back: false, archived: false, ...sitting }, progress: { answered: 3 }, paused: false };
  const bar = Object.create(StatusBar.prototype, { session: { value: session }, outbox: { value: { waiting: 0 } } });
  return bar.curtain(current, ended, problem, null);
}

test("an open page says that the study was archived in place of that everything is read", () => {
  assert.deepEqual(curtain({ archived: true }), ["end", ARCHIVED]);
  assert.deepEqual(curtain({ archived: true, held_back: true }), ["end", ARCHIVED]);
  assert.match(curtain({})[1], /Nothing left to read/);
});

test("a crop on its way is shown first, and a line that is down is told first", () => {
  assert.equal(curtain({ archived: true, current: { pixels: "" } })[0], "loading");
  assert.equal(curtain({ archived: true, problem: { kind: "auth" } })[0], "loading");
});
