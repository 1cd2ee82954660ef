import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../static/js/shared/api.js";
import { Outbox, waitAfter } from "../../static/js/shared/outbox.js";
import { createLocalStore, createStore } from "../../static/js/shared/store.js";

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

class FakeDatabase {
  map = new Map();
  broken = false;
  async all(prefix) {
    if (this.broken) throw new Error("no database");
    return [...this.map].filter(([key]) => key.startsWith(prefix)).map(([, item]) => item);
  }
  async put(key, item) {
    if (this.broken) throw new Error("no database");
    this.map.set(key, structuredClone(item));
  }
  async remove(key) {
    this.map.delete(key);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

function makeOutbox(send, storage = new FakeStorage(), more = {}) {
  const told = { saved: [], refused: [], timers: [], disputed: [] };
  const outbox = new Outbox({
    send,
    store: createLocalStore("box.", () => storage),
    now: () => 1000,
    setTimer: (job) => told.timers.push(job),
    changed: () => {},
    saved: ({ id }) => told.saved.push(id),
    refused: ({ id }) => told.refused.push(id),
    disputed: ({ id }) => told.disputed.push(id),
    ...more,
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
  await outbox.ready;
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
  createLocalStore("box.", () => storage).save(item("a"));
  createLocalStore("box.", () => storage).save(item("b"));
  assert.deepEqual(createLocalStore("box.", () => storage).load().map(({ id }) => id), ["a", "b"]);
  assert.deepEqual(createLocalStore("other.", () => storage).load(), []);
});

test("where storage is switched off, memory holds the answers", async () => {
  const store = createLocalStore("box.", () => {
    throw new Error("denied");
  });
  store.save(item("a"));
  assert.equal(store.load().length, 1);
  store.remove("a");
  assert.deepEqual(store.load(), []);
});

test("an answer is in one of two places at every moment, and in the database in the end", async () => {
  const [storage, database] = [new FakeStorage(), new FakeDatabase()];
  const store = createStore("box.", { database, local: createLocalStore("box.", () => storage) });
  const saving = store.save(item("a"));
  assert.equal(storage.length, 1);
  await saving;
  assert.deepEqual([storage.length, database.map.size], [0, 1]);
  await store.remove("a");
  assert.equal(database.map.size, 0);
});

test("what waits in localStorage moves into the database", async () => {
  const [storage, database] = [new FakeStorage(), new FakeDatabase()];
  createLocalStore("box.", () => storage).save(item("old"));
  const store = createStore("box.", { database, local: createLocalStore("box.", () => storage) });
  assert.deepEqual((await store.load()).map(({ id }) => id), ["old"]);
  await settle();
  assert.deepEqual([storage.length, [...database.map.keys()]], [0, ["box.old"]]);
});

test("without a database localStorage keeps the answers", async () => {
  const [storage, database] = [new FakeStorage(), new FakeDatabase()];
  database.broken = true;
  const store = createStore("box.", { database, local: createLocalStore("box.", () => storage) });
  await store.save(item("a"));
  assert.deepEqual((await store.load()).map(({ id }) => id), ["a"]);
});

test("an answer that is sent while it is being written is not kept", async () => {
  const [storage, database] = [new FakeStorage(), new FakeDatabase()];
  const store = createStore("box.", { database, local: createLocalStore("box.", () => storage) });
  const saving = store.save(item("a"));
  store.remove("a");
  await saving;
  assert.deepEqual([storage.length, database.map.size], [0, 0]);
});

test("what another open page sends is left to it; what a closed page left is taken over", async () => {
  const storage = new FakeStorage();
  const store = createLocalStore("box.", () => storage);
  store.save({ ...item("a"), at: 1, owner: "open" });
  store.save({ ...item("b"), at: 2, owner: "closed" });
  const { outbox, told } = makeOutbox(async () => ({}), storage, { owner: "me", living: async () => new Set(["open", "me"]) });
  await outbox.flush();
  assert.deepEqual(told.saved, ["b"]);
  assert.deepEqual(store.load().map(({ id }) => id), ["a"]);
});

test("where nobody knows which pages are open, a page takes over only what it finds at its start", async () => {
  const storage = new FakeStorage();
  const store = createLocalStore("box.", () => storage);
  store.save({ ...item("a"), at: 1, owner: "other" });
  const { outbox } = makeOutbox(offline, storage, { owner: "me", living: async () => null });
  await outbox.ready;
  store.save({ ...item("b"), at: 2, owner: "other" });
  assert.equal(await outbox.adopt(), 0);
  assert.deepEqual(outbox.items.map(({ id }) => id), ["a"]);
});

test("what this page has just sent is not taken over again", async () => {
  const storage = new FakeStorage();
  const { outbox } = makeOutbox(async () => ({}), storage, { owner: "me", living: async () => new Set(["me"]) });
  await outbox.add(item("a"));
  createLocalStore("box.", () => storage).save({ ...item("a"), at: 1, owner: "me" });
  assert.equal(await outbox.adopt(), 0);
});

test("a dispute is kept for a person to decide, also over a reload, and holds nothing up", async () => {
  const storage = new FakeStorage();
  const conflict = () => Promise.reject(new ApiError("conflict", "two", 409, { standing: { client_id: "x" } }));
  const first = makeOutbox(({ id }) => (id === "a" ? conflict() : Promise.resolve({})), storage);
  await first.outbox.add(item("a"));
  await first.outbox.add(item("b"));
  assert.deepEqual([first.told.disputed, first.told.saved, first.outbox.waiting], [["a"], ["b"], 1]);
  const second = makeOutbox(async () => ({}), storage);
  await second.outbox.flush();
  assert.deepEqual([second.told.disputed, second.told.saved], [["a"], []]);
});

test("an answer that has not left yet can be changed", async () => {
  const { outbox } = makeOutbox(offline);
  await outbox.add(item("a"));
  await outbox.add(item("b"));
  assert.equal(outbox.change("b", { client_id: "b", reason_code: "artefact" }), true);
  assert.equal(outbox.change("a", {}), false);
  assert.equal(outbox.items[1].body.reason_code, "artefact");
});

test("the wait doubles up to half a minute", () => {
  assert.deepEqual([1, 2, 3, 9].map(waitAfter), [1000, 2000, 4000, 30000]);
});

test("ten tries in a row that fail leave one timer, not ten", async () => {
  const running = new Set();
  let number = 0;
  const timers = { setTimer: () => (running.add((number += 1)), number), clearTimer: (timer) => running.delete(timer) };
  const { outbox } = makeOutbox(offline, new FakeStorage(), timers);
  await outbox.add(item("a"));
  for (let turn = 0; turn < 10; turn += 1) await outbox.flush({ force: true });
  assert.equal(running.size, 1);
});

test("a flush ends when nothing is on its way any more, whoever began it", async () => {
  let arrive;
  const { outbox, told } = makeOutbox(() => new Promise((resolve) => (arrive = resolve)));
  const added = outbox.add(item("a"));
  await settle();
  const flushed = outbox.flush({ force: true }).then(() => told.saved.length);
  arrive({});
  assert.equal(await flushed, 1);
  await added;
});
