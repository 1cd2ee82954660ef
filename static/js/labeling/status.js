/* What the reading room says of its own state. Pure: state in, words out. */
import { age, clock, count } from "../shared/text.js";

export const TOLD_MS = 6000;
const READ_MS = 2000;

/** {text, tone, kind} of the outbox; a quiet tone as long as nothing is wrong. */
export function saveState({ waiting, trouble, savedAt, retryAt, items = [] }, now) {
  const disputed = items.filter(({ standing }) => standing).length;
  if (disputed) return { kind: "conflict", tone: "bad", text: `${count(disputed)} to decide: two answers of yours` };
  if (waiting && trouble === "auth") {
    return { kind: "auth", tone: "bad", text: `log in again: your ${waiting === 1 ? "answer is" : "answers are"} kept` };
  }
  if (waiting && trouble === "stranger") {
    return { kind: "stranger", tone: "bad", text: `no longer a member: ${count(waiting)} kept on this computer` };
  }
  if (waiting && trouble === "forbidden") {
    return { kind: "forbidden", tone: "bad", text: `this account may not answer here: ${count(waiting)} kept` };
  }
  if (waiting && trouble === "offline") return { kind: "offline", tone: "warn", text: `${count(waiting)} waiting, offline` };
  if (waiting && trouble) {
    const seconds = Math.max(1, Math.ceil(((retryAt ?? now) - now) / 1000));
    return { kind: "server", tone: "warn", text: `${count(waiting)} waiting, server trouble: next try in ${seconds} s` };
  }
  if (waiting > 3) return { kind: "saving", tone: "quiet", text: `${count(waiting)} on their way` };
  if (savedAt) return { kind: "saved", tone: "quiet", text: `saved ${clock(savedAt)}` };
  return { kind: "none", tone: "quiet", text: "nothing to save yet" };
}

/** "ranked 4 s ago by 0f3a over 98,212 crops, 2 newer answers"; why it is old, where it is. */
export function rankingLine(ranking, now) {
  if (!ranking?.ranked_at) return "not ranked yet: crops come in a spread-out order";
  const newer = ranking.newer_answers ?? 0;
  const tail = newer ? `, ${count(newer)} newer ${newer === 1 ? "answer" : "answers"}` : "";
  const by = ranking.digest ? ` by ${ranking.digest.slice(0, 4)}` : "";
  const old = ranking.problem ? ", not ranked since" : "";
  return `ranked ${age(ranking.ranked_at, now)} ago${by} over ${count(ranking.pool)} crops${tail}${old}`;
}

/** The ranking with the answers that are still on their way counted as newer. */
export function withWaiting(ranking, waiting) {
  return ranking && { ...ranking, newer_answers: (ranking.newer_answers ?? 0) + waiting };
}

/** All that is known of the ranking, a line each: for who asks. */
export function rankingDetail(ranking) {
  if (!ranking?.ranked_at) return "";
  const unsure = ranking.expected_not_sure;
  return [
    `Strategy ${ranking.strategy}, encoder ${ranking.encoder}; knows ${count(ranking.answers)} answered crops.`,
    unsure === null || unsure === undefined ? "" : `About ${Math.round(unsure * 100)} % of this queue will probably be not sure.`,
    ranking.note,
    ranking.problem,
  ].filter(Boolean).join("\n");
}

/** "412 of 1,500 · today 138 of 200" where 200 are the goal, with the answers that are still on their way counted in. */
export function progressLine(progress, waiting) {
  // What is on its way may be a second answer to a crop: no more than all are answered.
  const answered = Math.min(progress.answered + waiting, Math.max(progress.answered, progress.total));
  const goal = progress.goal ? ` of ${count(progress.goal)}` : "";
  const today = progress.today === undefined ? "" : ` · today ${count(progress.today + waiting)}${goal}`;
  return { answered, text: `${count(answered)} of ${count(progress.total)}${today}` };
}

/** How many crops the answers on their way add to those that the server counts. */
export function unsentAnswers(items) {
  const fresh = items.filter(({ kind, body, standing }) => kind === "answer" && !body.replaces && !standing).length;
  return fresh - items.filter(({ kind }) => kind === "undo").length;
}

/** Whether what was said still stands in place of the state: until a later save, which leaves time to read it. */
export function isStillTold({ text, at }, { savedAt }, tone, now) {
  // What waits or failed comes back in a moment; what needs the reader gives way to nothing.
  if (!text || tone === "bad" || now - at >= TOLD_MS) return false;
  return !(savedAt >= at) || now - at < READ_MS;
}

/** Why no crop is there while the line is broken, and what became of the answers. */
export function unreachable(waiting) {
  const kept = waiting ? `Your ${count(waiting)} ${waiting === 1 ? "answer is" : "answers are"} kept on this computer. ` : "";
  return `The server cannot be reached, and every crop that was fetched ahead is read. ${kept}This page goes on by itself.`;
}

/** Name of an answer as people say it. */
export function answerName({ answer, classes }, classNames) {
  if (answer === "label") return classes.map((key) => classNames.get(key) ?? key).join(", ");
  return { not_sure: "not sure", bad_crop: "bad crop", wrong_object: "wrong object", skipped: "skipped" }[answer] ?? answer;
}

/** What the page says of a crop: the fact; that a blind study hides it; or what is so where there is none. */
export function factText(value, blind, otherwise) {
  return value ?? (blind ? "hidden: this study is blind" : otherwise);
}
