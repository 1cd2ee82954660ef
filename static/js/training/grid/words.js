/* What the grid says of a crop and of what was done; plain text. */
import { short } from "../../shared/text.js";

const KINDS = { not_sure: "not sure", bad_crop: "bad crop", wrong_object: "wrong object" };

/** A number with its noun: "1 crop", "12 crops". */
export function counted(number, noun = "crop") {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** The name of an answer: the class's, or "not sure" and the like. */
export function answerName({ answer, classes, kind, label }, names) {
  const key = label ?? classes?.[0];
  return key ? (names.get(key) ?? key) : (KINDS[kind ?? answer] ?? "");
}

/** {text, name, tone} of a tile: what it shows, what is read aloud, and how it looks. */
export function tileWords(crop, names, { other, waiting, unit = "", sort = "" } = {}) {
  const parts = [`crop ${crop.id}`];
  if (crop.answer) parts.push(`you said ${answerName(crop.answer, names)}${crop.answer.is_bulk ? ", in the grid" : ""}`);
  if (crop.predicted) parts.push(`predicted ${names.get(crop.predicted) ?? crop.predicted}, ${Math.round(100 * crop.probability)} %`);
  const value = valueText(crop, sort, unit);
  if (value) parts.push(value);
  if (waiting?.answer) {
    const given = answerName(waiting, names);
    return { text: `${given} …`, name: [...parts, `your answer ${given} waits to be saved`].join(", "), tone: "waiting" };
  }
  if (other) return { text: `→ ${names.get(other) ?? other}`, name: [...parts, `will be ${names.get(other) ?? other}`].join(", "), tone: "other" };
  if (crop.answer) return { text: answerName(crop.answer, names), name: parts.join(", "), tone: "answered" };
  if (["size", "outlier", "similar"].includes(sort)) return { text: value, name: parts.join(", "), tone: "open" };
  const ahead = sort === "uncertain" && value ? `${Number(crop.value.toPrecision(2))} · ` : "";
  // The number first: a long name is cut at its end.
  const text = crop.predicted ? `${Math.round(100 * crop.probability)} % ${names.get(crop.predicted) ?? crop.predicted}` : "";
  return { text: ahead + text, name: parts.join(", "), tone: "open" };
}

function valueText({ value }, sort, unit) {
  if (value === null || value === undefined) return "";
  if (sort === "uncertain") return `score ${short(value)}`;
  if (sort === "size") return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ${unit}`;
  if (sort === "similar" || sort === "outlier") return `${value.toFixed(2)} away`;
  return "";
}

const SCORES = {
  uherding: "doubt between the classes, times how little the model knows of such crops, more for rare classes",
  margin: "how close the two likeliest classes are",
  entropy: "how widely the probability is spread over the classes",
  random: "an order that was drawn once",
};

/** What the order rests on, where the tiles do not show it. */
export function orderWords({ sort }, strategy) {
  if (sort !== "uncertain") return "";
  const score = SCORES[strategy] ?? `as the strategy ${strategy} computes it`;
  return `Sorted by the ranking's score, highest first (${score}): it stands before the prediction, whose per cent alone do not order them. Answered crops keep theirs. The reading room asks in another order: it spreads its questions and puts random checks between.`;
}

/** That crops are kept back, and why. */
export function hiddenWords(number) {
  if (!number) return "";
  const [are, they] = number === 1 ? ["is a random check", "it"] : ["are random checks", "them"];
  return `${counted(number)} of the pool ${are} that you have still to read in the reading room: nothing may tell you of ${they} before, so the grid leaves ${they} out.`;
}

/** What a step brought: how many answers stand, and why others do not. */
export function stepWords(results) {
  const saved = results.filter(({ outcome }) => outcome === "saved").length;
  const reasons = new Map();
  for (const { outcome, message } of results) {
    if (outcome !== "saved") reasons.set(message, (reasons.get(message) ?? 0) + 1);
  }
  const rest = [...reasons].map(([message, number]) => `${counted(number)} not answered: ${message}`);
  return [`${counted(saved)} answered.`, ...rest].join(" ");
}

/** That pictures are away, and what that means for what is answered. */
export function missingWords(number) {
  if (!number) return "";
  return `${counted(number)} could not be loaded yet: ${number === 1 ? "it is" : "they are"} left out of every answer until shown.`;
}

/** Why a step left crops out that were chosen. */
export function unseenWords(number, scrolls = false) {
  if (!number) return "";
  const how = scrolls ? ` Scroll to ${number === 1 ? "it" : "them"}, and confirm again.` : "";
  return `${counted(number)} left out: not shown yet.${how}`;
}
