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

test("undo takes an answer back also where a reason or another answer replaced it and has not left yet", async () => {
  for (const change of [(session) => session.amend(session.history.last, "artefact"), (session) => session.back() && session.answer("label", ["b"], [])]) {
    const { session } = sitting();
    await session.refill();
    session.answer("not_sure", [], []);
    session.outbox.sent.add("id-1");
    change(session);
    await session.undo();
    assert.deepEqual(session.outbox.items.map(({ kind, body }) => [kind, body.answer]), [["answer", "not_sure"], ["undo", "id-1"]]);
    assert.equal(session.current.id, 1);
    session.answer("label", ["c"], []);
    assert.equal(session.outbox.items.at(-1).body.replaces, null);
  }
});

test("of a chain of edits undo drops what never left, and takes back the newest that may have", async () => {
  const { session } = sitting();
  await session.refill();
  for (const label of ["a", "b", "c"]) {
    if (label !== "a") session.back();
    session.answer("label", [label], []);
  }
  session.outbox.sent = new Set(["id-1", "id-2"]);
  await session.undo();
  assert.deepEqual(session.outbox.items.map(({ kind, body }) => [kind, body.answer]).at(-1), ["undo", "id-2"]);
  const { session: unsent } = sitting();
  await unsent.refill();
  unsent.answer("label", ["a"], []);
  unsent.back();
  unsent.answer("label", ["b"], []);
  await unsent.undo();
  assert.deepEqual(unsent.outbox.items, []);
});

test("a refused edit leaves the answer before it, and what followed it follows that one", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.outbox.items.shift();
  session.back();
  session.answer("label", ["gone"], []);
  session.back();
  session.answer("label", ["c"], []);
  const { crop: whose, comesAgain } = session.refused(session.outbox.items.shift());
  assert.deepEqual([whose.id, comesAgain], [1, false]);
  assert.deepEqual(session.outbox.items.map(({ body }) => body.replaces), ["id-1"]);
  session.refused(session.outbox.items.shift());
  assert.deepEqual([session.history.last.id, session.history.last.classes, ids(session.queue)[0]], ["id-1", ["a"], 3]);
});

test("an undo of a refused edit takes back the answer before it", async () => {
  const { session } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.outbox.items.shift();
  session.back();
  session.answer("label", ["gone"], []);
  session.outbox.sent.add("id-2");
  await session.undo();
  session.refused(session.outbox.items.shift());
  assert.deepEqual(session.outbox.items.map(({ kind, body }) => [kind, body.answer]), [["undo", "id-1"]]);
});

for (const kind of ["not_sure", "bad_crop", "wrong_object"]) {
  test(`a refused ${kind} brings its crop again, once`, async () => {
    const { session } = sitting();
    await session.refill();
    session.answer(kind, [], []);
    assert.equal(session.refused(session.outbox.items.shift()).comesAgain, true);
    assert.equal(session.queue[0].id, 1);
    session.advance();
    session.answer(kind, [], []);
    assert.equal(session.refused(session.outbox.items.shift()).comesAgain, false);
  });
}

test("a crop can be brought back on screen, with its answer where one stands, and no other crop is lost", async () => {
  const { session, shown } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.showAgain(crop(1));
  assert.equal(session.history.reviewed.answer, "label");
  session.showAgain(crop(3));
  assert.deepEqual([shown, ids(session.queue)], [[1, 2, 1, 3], [2, 4]]);
});

test("a pause outlasts replies that were computed before it, also to an answer on its way", async () => {
  const { session, shown } = sitting();
  await session.refill();
  session.answer("label", ["a"], []);
  session.pause();
  session.absorb({ next: { crops: [2, 3].map(crop), sitting: { paused: false } } });
  assert.deepEqual([session.paused, session.current, shown], [true, null, [1, 2, null]]);
});

test("a pause without a line is told when the line is back, and only then served again", async () => {
  const { session } = sitting();
  await session.refill();
  const told = [];
  session.api.pause = away;
  await session.pause();
  assert.deepEqual([session.paused, session.pausing.isDue], [true, true]);
  session.api.pause = async (isOn) => told.push(isOn);
  await session.pausing.settle();
  assert.deepEqual([told, session.pausing.isDue], [[true], false]);
  await session.resume();
  assert.deepEqual([told, session.current.id], [[true, false], 1]);
});

test("a second press of pause while the first is on its way ends as it was meant", async () => {
  const { session } = sitting();
  await session.refill();
  const told = [];
  session.api.pause = async (isOn) => told.push(isOn);
  await Promise.all([session.pause(), session.resume(), session.pause()]);
  assert.deepEqual([told.at(-1), session.paused, session.current], [true, true, null]);
});

test("a pause on another page holds here too; a reply from before the reader's own word does not", async () => {
  const { session } = sitting();
  await session.refill();
  const paused = async () => ({ crops: [], sitting: { paused: true } });
  session.api.next = paused;
  await session.refill();
  assert.deepEqual([session.paused, session.current], [true, null]);
  session.api.next = async () => ({ crops: [5, 6].map(crop) });
  await session.resume();
  let reply;
  session.api.next = () => new Promise((resolve) => (reply = resolve));
  const late = session.refill();
  session.pause();
  const resumed = session.resume();
  session.api.next = async () => ({ crops: [5, 6].map(crop) });
  reply(await paused());
  await Promise.all([late, resumed]);
  assert.deepEqual([session.paused, session.current.id], [false, 5]);
});

test("who gave it goes with everything that is sent", async () => {
  const { session } = sitting();
  session.config.user = 7;
  let undone;
  session.api.undo = async (body) => ((undone = body), { crop: crop(99) });
  await session.refill();
  await session.undo();
  session.skip();
  session.answer("label", ["a"], []);
  session.outbox.sent = new Set(["id-3"]);
  await session.undo();
  assert.deepEqual([undone, ...session.outbox.items.map(({ body }) => body)].map(({ annotator }) => annotator), [7, 7, 7, 7]);
});

test("a reader who was removed is asked nothing more, and goes on where they were once they are a member again", async () => {
  const { session, shown } = sitting();
  await session.refill();
  const { next, ranking } = session.api;
  const stranger = Object.assign(new Error("you are no longer a member of this study"), { kind: "stranger", status: 404 });
  session.api.ranking = session.api.next = async () => Promise.reject(stranger);
  await session.doubt();
  assert.deepEqual([session.isOut, session.current, shown.at(-1)], [true, null, null]);
  assert.equal(session.answer("label", ["a"], []), false);
  session.advance();
  await session.refill();
  assert.equal(session.current, null);
  Object.assign(session.api, { next, ranking });
  await session.refill();
  assert.deepEqual([session.isOut, session.current.id], [false, 1]);
});

test("pictures that are not found ask once whether the reader is a member still", async () => {
  const { session } = sitting();
  await session.refill();
  let asked = 0;
  session.api.ranking = async () => ((asked += 1), null);
  await Promise.all([session.doubt(), session.doubt(), session.doubt()]);
  assert.deepEqual([asked, session.isOut, session.current.id], [1, false, 1]);
});

test("a broken line is no fault of the crop: only pixels that cannot be shown at all make an unseen crop a bad one", async () => {
  for (const [kind, taken] of [["offline", false], ["server", false], ["auth", false], ["refused", true], ["forbidden", true]]) {
    const { session } = sitting();
    await session.refill();
    session.shownAt = null;
    session.pool.problem = () => ({ kind });
    assert.equal(session.answer("bad_crop", [], []), taken, kind);
  }
});

test("an undo beyond the page waits for what is on its way, and says so where that does not arrive", async () => {
  const { session, noticed } = sitting();
  await session.refill();
  let asked = 0;
  session.api.undo = async () => ((asked += 1), { crop: crop(99) });
  session.outbox.items = [{ id: "old", kind: "answer", body: { crop: 50 } }];
  await session.undo();
  assert.deepEqual([asked, session.current.id], [0, 1]);
  assert.match(noticed[0], /^Not undone: 1 of your answers did not reach the server/);
  session.outbox.flush = async () => (session.outbox.items = []);
  await session.undo();
  assert.deepEqual([asked, session.current.id], [1, 99]);
});

test("while the server takes an answer back no other is given, and a repeat after a time-out is the same wish", async () => {
  const { session } = sitting();
  await session.refill();
  const wishes = [];
  let fail;
  session.api.undo = ({ client_id: id }) => (wishes.push(id), new Promise((_, reject) => (fail = reject)));
  const undo = session.undo();
  await Promise.resolve();
  assert.deepEqual([session.answer("label", ["a"], []), session.skip(), session.current.id], [false, false, 1]);
  fail(Object.assign(new Error("away"), { kind: "offline" }));
  await undo;
  session.api.undo = async ({ client_id: id }) => (wishes.push(id), { crop: crop(99) });
  await session.undo();
  await session.undo();
  assert.equal(wishes[0], wishes[1]);
  assert.notEqual(wishes[1], wishes[2]);
});

test("an answer names the guidelines that the reader has before them, not the newest, and they are told once", async () => {
  const { session, noticed } = sitting();
  session.guideline = session.newestGuideline = 1;
  await session.refill();
  session.absorb({ guideline: 2 });
  session.absorb({ guideline: 2 });
  session.answer("label", ["a"], []);
  session.guideline = 2;
  session.answer("label", ["a"], []);
  assert.deepEqual(session.outbox.items.map(({ body }) => body.guideline), [1, 2]);
  assert.equal(noticed.length, 1);
});

test("a long look asks again before the lease ends, and who is gone holds nothing", async () => {
  const { session, counts } = sitting();
  let now = 0;
  session.now = () => new Date(now);
  await session.refill();
  now = 119_000;
  session.hold();
  assert.equal(counts.length, 1);
  now = 121_000;
  session.attention.isHere = () => false;
  session.hold();
  assert.equal(counts.length, 1);
  session.attention.isHere = () => true;
  session.hold();
  await session.refilling;
  session.hold();
  assert.equal(counts.length, 2);
});
