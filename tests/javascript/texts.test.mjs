import assert from "node:assert/strict";
import { test } from "node:test";
import { asMember, strangerText } from "../../static/js/labeling/membership.js";
import { answerName, factText, isStillTold, progressLine, rankingDetail, rankingLine, saveState, withWaiting } from "../../static/js/labeling/status.js";
import { outlinePath, tickPath } from "../../static/js/labeling/view.js";
import { ApiError, csrfToken, detailOf, kindOf } from "../../static/js/shared/api.js";
import { scaleBar } from "../../static/js/shared/scalebar.js";
import { age, clock, count, short } from "../../static/js/shared/text.js";

const NOW = Date.parse("2026-03-01T12:03:07Z");

test("the save state says what happened and what was kept", () => {
  const text = (state) => saveState({ waiting: 0, trouble: null, savedAt: null, retryAt: null, ...state }, NOW).text;
  assert.equal(text({}), "nothing to save yet");
  assert.equal(text({ savedAt: NOW }), `saved ${clock(NOW)}`);
  assert.equal(text({ waiting: 3, trouble: "offline" }), "3 waiting, offline");
  assert.equal(text({ waiting: 2, trouble: "auth" }), "log in again: your answers are kept");
  assert.match(text({ waiting: 1, trouble: "server", retryAt: NOW + 4000 }), /next try in 4 s/);
});

test("a reader who was removed is told that, what became of their answers and whom to ask", async () => {
  const notFound = asMember(Promise.reject(new ApiError("forbidden", "Not found.", 404)));
  await assert.rejects(notFound, { kind: "stranger", message: /no longer a member/ });
  const otherwise = asMember(Promise.reject(new ApiError("forbidden", "another account", 403)));
  await assert.rejects(otherwise, { kind: "forbidden" });
  assert.equal(await asMember(Promise.resolve(3)), 3);
  const text = strangerText({ answered: 1204, waiting: 2, leads: ["ada", "bo"] });
  assert.match(text, /no longer a member of this study/);
  assert.match(text, /1,204 saved answers stay/);
  assert.match(text, /2 more answers wait: they are kept on this computer/);
  assert.match(text, /ask ada or bo, who lead it/);
  assert.doesNotMatch(strangerText({ answered: 0, waiting: 0, leads: ["ada"] }), /wait|saved/);
  assert.match(strangerText({ answered: 1, waiting: 1 }), /1 saved answer stays[^]*One more answer waits: it is kept.*goes out[^]*ask a lead of it/);
  const bar = saveState({ waiting: 2, trouble: "stranger" }, NOW);
  assert.deepEqual([bar.tone, bar.text], ["bad", "no longer a member: 2 kept on this computer"]);
});

test("what was said gives way to a later save once it could be read, and to trouble at once", () => {
  const still = (after, savedAfter, tone = "quiet") =>
    isStillTold({ text: "This is the next unanswered crop.", at: NOW }, { savedAt: savedAfter === null ? null : NOW + savedAfter }, tone, NOW + after);
  assert.deepEqual([still(500, null), still(5000, null), still(5000, -9000)], [true, true, true]);
  assert.deepEqual([still(500, 100), still(2500, 100)], [true, false]);
  assert.deepEqual([still(500, null, "bad"), still(6500, null)], [false, false]);
});

test("the ranking says who made it, when, and over what", () => {
  const ranking = { digest: "0f3ab2", ranked_at: "2026-03-01T12:03:03Z", pool: 98212, newer_answers: 2 };
  assert.equal(rankingLine(ranking, NOW), "ranked 4 s ago by 0f3a over 98,212 crops, 2 newer answers");
  assert.match(rankingLine({ ...ranking, newer_answers: 1 }, NOW), /1 newer answer$/);
  assert.match(rankingLine(null, NOW), /not ranked yet/);
  assert.match(rankingLine({ ...ranking, problem: "no class" }, NOW), /not ranked since$/);
});

test("answers on their way count as newer than the ranking", () => {
  assert.equal(withWaiting({ newer_answers: 2 }, 3).newer_answers, 5);
  assert.equal(withWaiting(null, 3), null);
});

test("the ranking's detail names strategy, encoder, what is expected and what is odd, and nothing unknown", () => {
  const ranking = { ranked_at: "2026-03-01T12:03:03Z", strategy: "uherding", encoder: "untrained", answers: 1204 };
  const whole = rankingDetail({ ...ranking, expected_not_sure: 0.416, note: "Ranked otherwise.", problem: "Stopped." });
  assert.equal(whole.split("\n").length, 4);
  assert.match(whole, /uherding, encoder untrained; knows 1,204 answered crops/);
  assert.match(whole, /About 42 % of this queue will probably be not sure/);
  assert.equal(rankingDetail({ ...ranking, expected_not_sure: null }).split("\n").length, 1);
  assert.equal(rankingDetail(null), "");
});

test("progress counts the answers that are still on their way", () => {
  const line = progressLine({ answered: 410, total: 1500, today: 136 }, 2);
  assert.deepEqual(line, { answered: 412, text: "412 of 1,500 · today 138" });
  assert.equal(progressLine({ answered: 410, total: 1500, today: 136, goal: 1200 }, 2).text, "412 of 1,500 · today 138 of 1,200");
});

test("answers are named as people say them", () => {
  const names = new Map([["meta", "metaphase"]]);
  assert.equal(answerName({ answer: "label", classes: ["meta"] }, names), "metaphase");
  assert.equal(answerName({ answer: "not_sure", classes: [] }, names), "not sure");
});

test("a scale bar is 1, 2 or 5 times a power of ten and fits its share", () => {
  for (const width of [37, 64, 100, 512, 4096]) {
    for (const um of [0.05, 0.33, 0.65, 1, 3.7]) {
      const bar = scaleBar(um, width);
      assert.ok(bar.fraction <= 0.3 + 1e-9 && bar.fraction > 0.1, `${um} um, ${width} px: ${bar.fraction}`);
      assert.match(String(bar.um.toPrecision(1)), /^(0\.0*)?[125]/);
    }
  }
  assert.equal(scaleBar(0.5, 100).label, "10 µm");
  assert.equal(scaleBar(null, 100), null);
});

test("ages are told in one unit", () => {
  const ago = (seconds) => age(NOW - seconds * 1000, NOW);
  assert.deepEqual([4, 59, 61, 7300, 400000].map(ago), ["4 s", "59 s", "1 min", "2 h", "4 days"]);
  assert.equal(age(NOW + 5000, NOW), "0 s");
  assert.equal(count(98212), "98,212");
  assert.equal(short(0.12345), "0.123");
});

test("the newest token is taken from the cookie", () => {
  assert.equal(csrfToken("a=1; csrftoken=new", "old"), "new");
  assert.equal(csrfToken("a=1", "old"), "old");
});

test("replies are told apart by what has to be done", () => {
  const reply = (status, redirected = false) => ({ status, redirected });
  assert.equal(kindOf(reply(403)), "auth");
  assert.equal(kindOf(reply(200, true)), "auth");
  assert.equal(kindOf(reply(400)), "refused");
  assert.equal(kindOf(reply(503)), "server");
  assert.equal(kindOf(reply(404)), "forbidden");
  assert.equal(kindOf(reply(403), { errors: [{ code: "permission_denied", detail: "not a member" }] }), "forbidden");
  assert.equal(kindOf(reply(403), { errors: [{ code: "permission_denied", detail: "CSRF Failed" }] }), "auth");
  assert.equal(detailOf({ errors: [{ detail: "no such class" }] }, 400), "no such class");
});

test("outlines are closed, and crops without one get four ticks", () => {
  assert.equal(outlinePath([[0, 0], [2, 0], [2, 2]]), "M0 0L2 0L2 2Z");
  assert.equal(outlinePath([[0, 0]]), "");
  assert.equal(tickPath(64, 64).match(/M/g).length, 4);
});

test("a fact that is not there is hidden only where the study is blind", () => {
  assert.equal(factText("uncertain", true, "taken back"), "uncertain");
  assert.equal(factText(null, true, "taken back"), "hidden: this study is blind");
  assert.equal(factText(undefined, false, "taken back"), "taken back");
});
