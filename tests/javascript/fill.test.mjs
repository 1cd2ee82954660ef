import assert from "node:assert/strict";
import test from "node:test";
import { changedNames, setControl } from "../../static/js/shared/fill.js";

const held = () => ({
  is_blind: { type: "checkbox", checked: true, value: "on" },
  reads_per_crop: { type: "number", value: "1" },
  strategy: { type: "select-one", value: "uherding" },
});

test("only what differs is changed, numbers are compared as they are shown", () => {
  assert.deepEqual(changedNames(held(), { is_blind: true, reads_per_crop: 1, strategy: "uherding" }), []);
  assert.deepEqual(changedNames(held(), { is_blind: false, reads_per_crop: 3, strategy: "random" }), ["is_blind", "reads_per_crop", "strategy"]);
});

test("a setting that the page does not show is passed over", () => {
  assert.deepEqual(changedNames({ ...held(), gone: null }, { gone: 5, absent: 6 }), []);
});

test("a preset fills the controls, and nothing differs afterwards", () => {
  const controls = held();
  const values = { is_blind: false, reads_per_crop: 3, strategy: "random" };
  for (const [name, value] of Object.entries(values)) setControl(controls[name], value);
  assert.deepEqual(changedNames(controls, values), []);
  assert.equal(controls.is_blind.checked, false);
});
