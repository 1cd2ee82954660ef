import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeQueue, wantedImages } from "../../static/js/labeling/queue.js";
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
  cancel(id) {
    if (this.sent.has(id)) return false;
    this.items = this.items.filter((item) => item.id !== id);
    return true;
  }
}

function sitting(replies = [[1, 2, 3, 4]]) {
  const shown = [];
  const told = [];
  let number = 0;
  const session = new Session({
    config: { urls: { answers: "/answers/", undo: "/undo/" }, progress: { answered: 0, total: 10 } },
    api: {
      next: async () => ({ crops: (replies.length > 1 ? replies.shift() : replies[0]).map(crop) }),
      undo: async () => ({ crop: crop(99), withdrawn: 5 }),
      ranking: async () => ({ digest: "new", newer_answers: 0 }),
    },
    outbox: new FakeOutbox(),
    pool: { want: (keys) => (session.wanted = keys), problem: () => null },
    events: {
      shown: (now) => {
        shown.push(now?.id ?? null);
        if (now) session.markShown();
      },
      changed: () => {},
      told: (text) => told.push(text),
    },
    now: () => new Date(0),
    newId: () => `id-${(number += 1)}`,
  });
  return { session, shown, told };
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
  assert.deepEqual(session.history, []);
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
