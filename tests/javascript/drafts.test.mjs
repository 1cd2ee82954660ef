import assert from "node:assert/strict";
import test from "node:test";

import { keepDrafts, putBack, standing, typedIn } from "../../static/js/labeling/drafts.js";

/** A form of text fields that the server filled with these values. */
function formOf(values) {
  const fields = Object.entries(values).map(([name, value]) => ({ name, id: name, value, defaultValue: value }));
  const heard = [];
  return {
    fields: Object.fromEntries(fields.map((field) => [field.name, field])),
    querySelectorAll: () => fields,
    addEventListener: (_, listener) => heard.push(listener),
    type(name, value) {
      this.fields[name].value = value;
      for (const listener of heard) listener({ target: this.fields[name] });
    },
  };
}

function storage() {
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text) };
}

test("what was typed is there again on the next page, and another page has none of it", () => {
  const kept = storage();
  const first = formOf({ notes: "", words: "" });
  keepDrafts(first, kept, "a");
  first.type("notes", "size decides");
  const next = formOf({ notes: "", words: "" });
  keepDrafts(next, kept, "a");
  assert.deepEqual([next.fields.notes.value, next.fields.words.value], ["size decides", ""]);
  const other = formOf({ notes: "" });
  keepDrafts(other, kept, "b");
  assert.equal(other.fields.notes.value, "");
});

test("a draft gives way to what the server holds since", () => {
  const kept = storage();
  const first = formOf({ notes: "" });
  keepDrafts(first, kept, "a");
  first.type("notes", "mine");
  const next = formOf({ notes: "theirs" });
  keepDrafts(next, kept, "a");
  assert.equal(next.fields.notes.value, "theirs");
  assert.deepEqual(standing({ notes: { base: "", value: "mine" } }, { notes: "theirs" }), {});
});

test("a crop that is drawn anew has what was typed, but for the form that was sent", () => {
  const [sent, other] = [{}, {}];
  const before = [{ id: "text-1", value: "gone out", form: sent }, { id: "note-1", value: "still here", form: other }];
  const typed = typedIn({ querySelectorAll: () => before }, sent);
  assert.deepEqual([...typed], [["note-1", "still here"]]);
  const folded = { open: false };
  const after = ["text-1", "note-1"].map((id) => ({ id, value: "", closest: () => folded }));
  putBack({ querySelectorAll: () => after }, typed);
  assert.deepEqual(after.map(({ value }) => value), ["", "still here"]);
  assert.equal(folded.open, true);
});
