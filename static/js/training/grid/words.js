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

/** That pictures are away, and what that means for what is answered. */
export function missingWords(number) {
  if (!number) return "";
  return `${counted(number)} could not be loaded yet: ${number === 1 ? "it is" : "they are"} left out of every answer until shown.`;
}

/** Why a step left crops out that were chosen. */
export function unseenWords(number) {
  return number ? `${counted(number)} left out: not shown yet.` : "";
}
