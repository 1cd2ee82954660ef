/* What the grid says of a crop and of what was done; plain text. */

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
export function tileWords(crop, names, { other, unit = "", sort = "" } = {}) {
  const parts = [`crop ${crop.id}`];
  if (crop.answer) parts.push(`you said ${answerName(crop.answer, names)}${crop.answer.is_bulk ? ", in the grid" : ""}`);
  if (crop.predicted) parts.push(`predicted ${names.get(crop.predicted) ?? crop.predicted}, ${Math.round(100 * crop.probability)} %`);
  const value = valueText(crop, sort, unit);
  if (value) parts.push(value);
  if (other) return { text: `→ ${names.get(other) ?? other}`, name: [...parts, `will be ${names.get(other) ?? other}`].join(", "), tone: "other" };
  if (crop.answer) return { text: answerName(crop.answer, names), name: parts.join(", "), tone: "answered" };
  if (["size", "outlier", "similar"].includes(sort)) return { text: value, name: parts.join(", "), tone: "open" };
  const text = crop.predicted ? `${names.get(crop.predicted) ?? crop.predicted} ${Math.round(100 * crop.probability)} %` : "";
  return { text, name: parts.join(", "), tone: "open" };
}

function valueText({ value }, sort, unit) {
  if (value === null || value === undefined) return "";
  if (sort === "size") return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ${unit}`;
  if (sort === "similar" || sort === "outlier") return `${value.toFixed(2)} away`;
  return "";
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

/** The state of saving: "saved 12:03:07", "12 answers wait, offline". */
export function savingWords({ unsent, trouble, savedAt }) {
  if (unsent && trouble === "offline") return { text: `${counted(unsent, "answer")} wait: offline, sent again soon`, tone: "warn" };
  if (unsent && trouble === "auth") return { text: `${counted(unsent, "answer")} wait: log in again in another tab`, tone: "bad" };
  if (unsent && trouble) return { text: `${counted(unsent, "answer")} wait: the server is busy, sent again soon`, tone: "warn" };
  if (unsent) return { text: `saving ${counted(unsent, "answer")} …`, tone: "quiet" };
  return { text: savedAt ? `saved ${savedAt.toTimeString().slice(0, 8)}` : "", tone: "quiet" };
}
