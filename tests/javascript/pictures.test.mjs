import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ApiError, mayPass } from "../../static/js/shared/api.js";
import { MOST_KEPT, loadImage, whyMissing } from "../../static/js/shared/pictures.js";

let asked = [];
let answer = null;
globalThis.fetch = async (url) => {
  asked.push(url);
  return answer();
};

function pixels() {
  const headers = new Headers({ "X-Shape": "1,1,1", "X-Dtype": "uint8" });
  return { ok: true, headers, arrayBuffer: async () => new Uint8Array([7]).buffer };
}

beforeEach(() => {
  asked = [];
  answer = pixels;
});

test("a picture is asked for once while it is kept, however many show it", async () => {
  await Promise.all([loadImage("/one/", false), loadImage("/one/", false)]);
  assert.deepEqual([...(await loadImage("/one/", false)).pixels], [7]);
  assert.deepEqual(asked, ["/one/"]);
});

test("a picture that failed is asked for again, and then it is there", async () => {
  answer = () => {
    throw new TypeError("no line");
  };
  const error = await loadImage("/two/", false).catch((problem) => problem);
  assert.equal(error.kind, "offline");
  answer = pixels;
  assert.deepEqual((await loadImage("/two/", false)).shape, [1, 1, 1]);
  assert.deepEqual(asked, ["/two/", "/two/"]);
});

test("only the pictures that were used last are kept", async () => {
  await loadImage("/first/", false);
  await loadImage("/second/", false);
  for (let number = 0; number < MOST_KEPT - 1; number += 1) {
    await loadImage(`/more/${number}/`, false);
    await loadImage("/first/", false);
  }
  asked = [];
  await loadImage("/first/", false);
  await loadImage("/second/", false);
  assert.deepEqual(asked, ["/second/"]);
});

test("a broken line is told from an original that is away", () => {
  const [line, away] = [new ApiError("offline", ""), new ApiError("forbidden", "", 404)];
  assert.deepEqual([mayPass(line), mayPass(away)], [true, false]);
  assert.match(whyMissing(line), /could not be loaded, try again/);
  assert.match(whyMissing(away), /original image is away/);
});
