import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../static/js/shared/api.js";
import { Outbox, waitAfter } from "../../static/js/shared/outbox.js";
import { createStore } from "../../static/js/shared/store.js";

class FakeStorage {
  constructor() {
    this.map = new Map();
  }
  get length() {
    return this.map.size;
  }
  key(index) {
    return [...this.map.keys()][index];
  }
  getItem(key) {
    return this.map.get(key) ?? null;
  }
  setItem(key, text) {
    this.map.set(key, text);
  }
  removeItem(key) {
    this.map.delete(key);
  }
}

const item = (id) => ({ id, kind: "answer", url: "/answers/", body: { client_id: id } });

function makeOutbox(send, storage = new FakeStorage()) {
  const told = { saved: [], refused: [], timers: [] };
  const outbox = new Outbox({
    send,
    store: createStore("box.", () => storage),
    now: () => 1000,
    setTimer: (job) => told.timers.push(job),
    changed: () => {},
    saved: ({ id }) => told.saved.push(id),
    refused: ({ id }) => told.refused.push(id),
  });
  return { outbox, told, storage };
}

const offline = () => Promise.reject(new ApiError("offline", "away"));

test("answers go out one after another, in order", async () => {
  const sent = [];
  const { outbox, told } = makeOutbox(async ({ id }) => sent.push(id));
  await Promise.all([outbox.add(item("a")), outbox.add(item("b")), outbox.add(item("c"))]);
  await outbox.flush();
  assert.deepEqual(sent, ["a", "b", "c"]);
  assert.deepEqual(told.saved, sent);
  assert.equal(outbox.waiting, 0);
});

test("without a connection nothing is lost, and the retry sends it all", async () => {
  let reachable = false;
  const { outbox, told } = makeOutbox(() => (reachable ? Promise.resolve({}) : offline()));
  await outbox.add(item("a"));
  await outbox.add(item("b"));
  assert.equal(outbox.trouble, "offline");
  assert.equal(outbox.waiting, 2);
  reachable = true;
  await told.timers[0]();
  assert.deepEqual(told.saved, ["a", "b"]);
  assert.equal(outbox.trouble, null);
});

test("a page that is loaded again sends what an earlier one kept", async () => {
  const storage = new FakeStorage();
  await makeOutbox(offline, storage).outbox.add(item("a"));
  const { outbox, told } = makeOutbox(async () => ({}), storage);
  assert.equal(outbox.waiting, 1);
  await outbox.flush();
  assert.deepEqual(told.saved, ["a"]);
  assert.equal(storage.length, 0);
});

test("the same client id is sent again after a failure", async () => {
  const ids = [];
  const { outbox, told } = makeOutbox(({ body }) => {
    ids.push(body.client_id);
    return ids.length === 1 ? offline() : Promise.resolve({});
  });
  await outbox.add(item("a"));
  await told.timers[0]();
  assert.deepEqual(ids, ["a", "a"]);
});

test("a refused answer is told and the next ones go on", async () => {
  const { outbox, told } = makeOutbox(({ id }) => (id === "a" ? Promise.reject(new ApiError("refused", "no")) : Promise.resolve({})));
  await Promise.all([outbox.add(item("a")), outbox.add(item("b"))]);
  await outbox.flush();
  assert.deepEqual(told.refused, ["a"]);
  assert.deepEqual(told.saved, ["b"]);
});

test("an answer that was never sent can be taken back silently, a sent one cannot", async () => {
  const { outbox } = makeOutbox(offline);
  await outbox.add(item("a"));
  await outbox.add(item("b"));
  assert.equal(outbox.cancel("b"), true);
  assert.equal(outbox.cancel("a"), false);
  assert.equal(outbox.waiting, 1);
});

test("two tabs do not overwrite each other's answers", () => {
  const storage = new FakeStorage();
  createStore("box.", () => storage).save(item("a"));
  createStore("box.", () => storage).save(item("b"));
  assert.deepEqual(createStore("box.", () => storage).load().map(({ id }) => id), ["a", "b"]);
  assert.deepEqual(createStore("other.", () => storage).load(), []);
});

test("where storage is switched off, memory holds the answers", async () => {
  const store = createStore("box.", () => {
    throw new Error("denied");
  });
  store.save(item("a"));
  assert.equal(store.load().length, 1);
  store.remove("a");
  assert.deepEqual(store.load(), []);
});

test("the wait doubles up to half a minute", () => {
  assert.deepEqual([1, 2, 3, 9].map(waitAfter), [1000, 2000, 4000, 30000]);
});
