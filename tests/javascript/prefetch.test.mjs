import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefetch } from "../../static/js/shared/prefetch.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("images are loaded in the order in which they are wanted, a few at a time", async () => {
  const asked = [];
  let most = 0;
  const pool = new Prefetch(
    async (key) => {
      asked.push(key);
      most = Math.max(most, pool.loading.size);
      await settle();
      return key.toUpperCase();
    },
    { parallel: 2 },
  );
  pool.want(["a", "b", "c", "d"]);
  for (let turn = 0; turn < 6; turn += 1) await settle();
  assert.deepEqual(asked, ["a", "b", "c", "d"]);
  assert.ok(most <= 2);
  assert.equal(pool.get("d"), "D");
});

test("what is no longer wanted is let go", async () => {
  const pool = new Prefetch(async (key) => key);
  pool.want(["a"]);
  await settle();
  pool.want(["b"]);
  await settle();
  assert.equal(pool.get("a"), null);
  assert.equal(pool.get("b"), "b");
});

test("nothing is loaded twice", async () => {
  let calls = 0;
  const pool = new Prefetch(async () => (calls += 1));
  pool.want(["a"]);
  pool.want(["a"]);
  await settle();
  pool.want(["a"]);
  assert.equal(calls, 1);
});

test("a failure is kept until it is retried", async () => {
  let broken = true;
  const pool = new Prefetch(async () => {
    if (broken) throw Object.assign(new Error("away"), { kind: "offline" });
    return "image";
  });
  pool.want(["a"]);
  await settle();
  assert.equal(pool.problem("a").message, "away");
  broken = false;
  pool.retry((error) => error.kind === "server");
  assert.equal(pool.get("a"), null);
  pool.retry((error) => error.kind === "offline");
  await settle();
  assert.equal(pool.get("a"), "image");
});
