import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, mergeQueue, provisions, wantedImages } from "../../static/js/labeling/queue.js";
import { Session } from "../../static/js/labeling/session.js";

const crop = (id) => ({ id, pixels: `/p/${id}`, context: `/c/${id}`, channels: [] });
const ids = (crops) => crops.map(({ id }) => id);

class FakeOutbox {
  items = [];
  sent = new Set();
  get waiting() {
    return this.items.length;
  }
  add(item) {
    this.items.push(item);
  }
  async flush() {}
  rewrite(id, body) {
    this.items.find((item) => item.id === id).body = body;
  }
  cancel(id) {
    if (this.sent.has(id)) return false;
    this.items = this.items.filter((item) => item.id !== id);
    return true;
  }
  change(id, body) {
    if (this.sent.has(id)) return false;
    this.items.find((item) => item.id === id).body = body;
    return true;
  }
  drop(id) {
    this.items = this.items.filter((item) => item.id !== id);
  }
}

function sitting(replies = [[1, 2, 3, 4]]) {
  const shown = [];
  const told = [];
  const noticed = [];
  const counts = [];
  let number = 0;
  const session = new Session({
    config: { urls: { answers: "/answers/", undo: "/undo/", skip: "/skip/" }, progress: { answered: 0, total: 10 } },
    api: {
      next: async (count) => (counts.push(count), { crops: (replies.length > 1 ? replies.shift() : replies[0]).map(crop) }),
      undo: async () => ({ crop: crop(99), withdrawn: 5 }),
      ranking: async () => ({ digest: "new", newer_answers: 0 }),
      pause: async () => ({}),
      leave: () => {},
    },
    outbox: new FakeOutbox(),
    pool: { want: (keys) => (session.wanted = keys), problem: () => null },
    pantry: { want: (keys) => (session.kept = keys) },
    attention: { start: () => {}, ms: () => 700, isHere: () => true },
    events: {
      shown: (now) => {
        shown.push(now?.id ?? null);
        if (now) session.markShown();
      },
      changed: () => {},
      told: (text) => told.push(text),
      answered: () => {},
      noticed: (text) => noticed.push(text),
    },
    now: () => new Date(0),
    newId: () => `id-${(number += 1)}`,
  });
  return { session, shown, told, noticed, counts };
}

test("the newest order wins, but the crops whose pixels are here stay in front", () => {
  const merged = mergeQueue([1, 2, 3].map(crop), [9, 2, 3, 1, 8].map(crop), { keep: 2 });
  assert.deepEqual(ids(merged), [1, 2, 9, 3, 8]);
});

test("a crop that somebody else reads meanwhile is not shown", () => {
  assert.deepEqual(ids(mergeQueue([1, 2].map(crop), [2, 5].map(crop))), [2, 5]);
});

test("an answered crop never comes back from an older order", () => {
  assert.deepEqual(ids(mergeQueue([crop(2)], [crop(2), crop(3)], { exclude: new Set([2]) })), [3]);
});

test("the pixels of the crop on screen are wanted first, then the next ones", () => {
  const wanted = wantedImages(crop(1), [2, 3, 4, 5].map(crop), [{ crop: crop(0) }]);
  assert.deepEqual(wanted.slice(0, 5), ["/p/1", "/c/1", "/p/2", "/p/3", "/p/4"]);
  assert.ok(wanted.includes("/p/0"));
});

test("an answer shows the next crop at once and leaves one item on its way", async () => {
  const { session, shown } = sitting();
  await session.refill();
  assert.equal(session.answer("label", ["G1"], []), true);
  assert.deepEqual(shown, [1, 2]);
  assert.deepEqual(session.outbox.items.map(({ body }) => [body.crop, body.answer, body.classes]), [[1, "label", ["G1"]]]);
});

test("a crop that is not on screen yet cannot be answered", async () => {
  const { session } = sitting();
  await session.refill();
  session.shownAt = null;
  assert.equal(session.answer("label", ["G1"], []), false);
  assert.equal(session.outbox.waiting, 0);
});

test("the server's reply may still offer what was just answered: it is not shown twice", async () => {
  const { session, shown } = sitting([[1, 2, 3], [1, 2, 3]]);
  await session.refill();
  session.answer("label", ["G1"], []);
  await session.refill();
  session.answer("label", ["G1"], []);
  session.answer("label", ["G1"], []);
  assert.deepEqual(shown, [1, 2, 3, null]);
});

test("undo brings the crop back and takes the unsent answer out of the outbox", async () => {
  const { session, shown } = sitting();
  await session.refill();
  session.answer("label", ["G1"], []);
  await session.undo();
  assert.deepEqual(shown, [1, 2, 1]);
  assert.equal(session.outbox.waiting, 0);
  assert.deepEqual(ids(session.queue)[0], 2);
});

test("undo of a sent answer is sent too, with an id of its own", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("not_sure", [], []);
  session.outbox.sent.add("id-1");
  await session.undo();
  assert.deepEqual(session.outbox.items.map(({ kind, id }) => [kind, id]), [["answer", "id-1"], ["undo", "id-2"]]);
});

test("an answer that the server refused is not undone: that would take back the one before", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["G1"], []);
  session.outbox.sent.add("id-1");
  await session.undo();
  session.outbox.items.shift();
  session.refused({ id: "id-1" });
  assert.deepEqual(session.outbox.items, []);
  assert.deepEqual(session.history.entries, []);
});

test("undo without a past in this sitting asks the server", async () => {
  const { session } = sitting();
  await session.refill();
  await session.undo();
  assert.equal(session.current.id, 99);
  assert.equal(session.queue[0].id, 1);
});

test("with nothing left the sitting ends", async () => {
  const { session } = sitting([[]]);
  await session.refill();
  assert.equal(session.ended, true);
});

test("answers on their way keep the sitting open", async () => {
  const { session } = sitting([[1], []]);
  await session.refill();
  session.answer("label", ["G1"], []);
  await session.refill();
  assert.equal(session.ended, false);
});

test("a look at the ranking brings its news, unless an answer was given meanwhile", async () => {
  const { session } = sitting();
  await session.refill();
  await session.lookAtRanking();
  assert.equal(session.ranking.digest, "new");
  session.ranking = { digest: "newest" };
  const look = session.lookAtRanking();
  session.answer("label", ["a"], []);
  await look;
  assert.equal(session.ranking.digest, "newest");
});

test("a look that fails leaves what is known", async () => {
  const { session } = sitting();
  session.ranking = { digest: "old" };
  session.api.ranking = async () => Promise.reject(new Error("away"));
  await session.lookAtRanking();
  assert.equal(session.ranking.digest, "old");
});

const many = (from, count) => Array.from({ length: count }, (_, index) => from + index);
const away = () => Promise.reject(Object.assign(new Error("away"), { kind: "offline" }));

test("a broken line leaves enough to go on: fifty answers without a single reply", async () => {
  const { session, shown, counts } = sitting([many(1, 60)]);
  await session.refill();
  assert.equal(counts[0], 60);
  session.api.next = away;
  for (let turn = 0; turn < 50; turn += 1) {
    assert.equal(session.answer("label", ["G1"], []), true);
    await session.refilling;
  }
  assert.equal(new Set(shown).size, 51);
  assert.deepEqual(session.outbox.items.map(({ body }) => body.crop), many(1, 50));
});

test("the stock is dropped once the server has nothing more to offer", async () => {
  const { session } = sitting([many(1, 60)]);
  await session.refill();
  assert.equal(session.stock.length, 48);
  session.absorb({ crops: [70, 71].map(crop) });
  assert.deepEqual([ids(session.queue), session.stock], [[70, 71], []]);
});

test("a newer order comes before the stock, and nothing stands in both", async () => {
  const { session } = sitting([many(1, 60)]);
  await session.refill();
  session.absorb({ crops: many(30, 12).map(crop) });
  assert.deepEqual(ids(session.queue), many(30, 12));
  assert.ok(session.stock.every(({ id }) => id < 30 || id > 41));
});

test("raw pixels are kept ahead as far as memory goes", () => {
  const big = { pixels: "/p", shape: [2, 10, 10], dtype: "uint16" };
  assert.equal(bytesOf(big), 400);
  assert.deepEqual(provisions([big, { ...big, pixels: "/q" }, { ...big, pixels: "/r" }], 900), ["/p", "/q"]);
});

test("an answer carries its times, who gave it, the guidelines that were shown and what it replaces", async () => {
  const { session } = sitting();
  await session.refill();
  session.guideline = 4;
  session.config.user = 7;
  session.markKey();
  session.answer("label", ["G1"], [], "0f3a");
  const { body } = session.outbox.items[0];
  assert.deepEqual([body.active_ms, body.annotator, body.guideline, body.replaces, body.suggested_by], [700, 7, 4, null, "0f3a"]);
  assert.ok(body.first_key_at && body.shown_at <= body.first_key_at);
});

test("a reason goes with the answer while it waits here, and supersedes it once it is sent", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("not_sure", [], []);
  session.amend(session.history.last, "artefact");
  assert.deepEqual(session.outbox.items.map(({ id, body }) => [id, body.reason_code]), [["id-1", "artefact"]]);
  session.outbox.sent.add("id-1");
  session.amend(session.history.last, "out_of_focus");
  const { id, body } = session.outbox.items[1];
  assert.deepEqual([body.replaces, body.reason_code, body.client_id, body.crop], ["id-1", "out_of_focus", id, 1]);
  assert.equal(session.history.last.id, id);
});

test("an answered crop can be looked at again, answered otherwise, and left", async () => {
  const { session, shown } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.answer("label", ["b"], []);
  session.back();
  session.back();
  assert.equal(session.back(), false);
  session.answer("label", ["c"], []);
  assert.deepEqual(shown, [1, 2, 3, 2, 1, 3]);
  assert.equal(session.outbox.items.at(-1).body.replaces, "id-1");
  assert.deepEqual(session.history.entries.map(({ classes }) => classes[0]), ["c", "b"]);
  session.back();
  assert.equal(session.forward(), true);
  assert.equal(session.current.id, 3);
  assert.equal(session.forward(), false);
});

test("undo while an answered crop is looked at loses no crop", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.answer("label", ["b"], []);
  session.back();
  session.back();
  await session.undo();
  assert.equal(session.current.id, 2);
  assert.deepEqual(ids(session.queue), [3, 4]);
});

test("a skipped crop goes without an answer and can be brought back", async () => {
  const { session } = sitting();
  await session.refill();
  session.skip();
  assert.deepEqual([session.current.id, session.outbox.items[0].kind], [2, "skip"]);
  await session.undo();
  assert.equal(session.current.id, 1);
});

test("an answer that named a class that is gone brings its crop again", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["gone"], []);
  session.refused(session.outbox.items.shift());
  assert.deepEqual(ids(session.queue)[0], 1);
  assert.deepEqual(session.history.entries, []);
});

test("a crop that was answered in another tab is passed over, also when it is on screen", async () => {
  const { session, told } = sitting();
  await session.refill();
  session.elsewhere(2);
  session.elsewhere(1);
  assert.equal(session.current.id, 3);
  assert.equal(told.length, 1);
});

test("of two answers of one person the chosen one stands", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  const item = Object.assign(session.outbox.items[0], { standing: { client_id: "old", answer: "label", classes: ["b"] } });
  session.decide(item, true);
  assert.deepEqual(session.outbox.items.map(({ body }) => [body.replaces, body.classes]), [["old", ["a"]]]);
  session.decide(Object.assign(session.outbox.items[0], { standing: item.standing }), false);
  assert.deepEqual([session.outbox.waiting, session.history.last.classes], [0, ["b"]]);
});

test("a pause takes the crop off the screen and brings it, or what is offered by then, back", async () => {
  const { session, shown } = sitting([[1, 2, 3], [1, 2, 3], [2, 3]]);
  await session.refill();
  session.pause();
  session.absorb({ crops: [], sitting: { paused: true } });
  assert.equal(session.current, null);
  session.api.next = away;
  session.queue = [1, 2].map(crop);
  await session.resume();
  assert.deepEqual(shown, [1, null, 1]);
});

test("who wants to be served otherwise keeps the crop on screen and gets nothing that was fetched before", async () => {
  const { session, shown } = sitting([many(1, 60), [1, 90, 91]]);
  await session.refill();
  await session.sitDown({ stay_on: "image", left: 3 });
  assert.deepEqual([shown, ids(session.queue), session.stock], [[1], [90, 91], []]);
  assert.equal(session.sitting.stay_on, "image");
});

test("an older order that is on its way does not outlive the change", async () => {
  const { session } = sitting([[1, 2, 3], [1, 90]]);
  session.refill();
  await session.sitDown({ stay_on: "image" });
  assert.deepEqual([session.current.id, ids(session.queue)], [1, [90]]);
});
