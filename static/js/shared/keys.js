/* One table from keys to actions. The digit row is read by its place, so that shift and other layouts work. */

const VIEW = { f: "field", r: "peek", m: "cycle", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", "[": "planeDown", "]": "planeUp" };
const LETTERS = [..."qetyuopasdhjklcvb"];
const FIXED = { ...VIEW, z: "undo", x: "bad", w: "wrong", g: "guidelines", i: "invert", n: "note", "?": "keys", " ": "outline" };

/** The key of the class at this place: 1-9, then the letters that nothing else needs; "" when they run out. */
export function classKey(index) {
  return index < 9 ? String(index + 1) : (LETTERS[index - 9] ?? "");
}

function digitOf(code) {
  return /^(?:Digit|Numpad)(\d)$/.exec(code ?? "")?.[1] ?? null;
}

/** What a key event asks for: {action, index?}, or null when it is not for us. */
export function actionFor(event, classCount) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const digit = digitOf(event.code);
  if (digit !== null) return digitAction(Number(digit), event.shiftKey, classCount);
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (FIXED[key]) return { action: FIXED[key] };
  const index = LETTERS.indexOf(key) + 9;
  return index >= 9 && index < classCount && !event.shiftKey ? { action: "class", index } : null;
}

function digitAction(digit, shift, classCount) {
  if (digit === 0) return shift ? null : { action: "notSure" };
  if (shift) return { action: "channel", index: digit - 1 };
  return digit <= classCount ? { action: "class", index: digit - 1 } : null;
}

/** Whether the person is typing text, where letters are letters. */
export function isTyping(target) {
  if (!target?.closest) return false;
  const field = target.closest("input, textarea, select, [contenteditable]");
  return Boolean(field) && !["range", "checkbox", "radio", "button"].includes(field.type);
}
