/* What a key asks for in the grid. Digits and free letters name classes; Enter gives the answer. */

const LETTERS = [..."qwertyupdfghjklbnm"];
const FIXED = {
  a: "all", s: "invert", n: "none", z: "undo", x: "bad", c: "context", o: "open", i: "pin", v: "map", "?": "keys",
};
const FREE = LETTERS.filter((letter) => !FIXED[letter]);
const MOVES = new Set(["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

/** The key of the class at this place: 1-9, then letters that nothing else needs; "" when they run out. */
export function gridClassKey(index) {
  return index < 9 ? String(index + 1) : (FREE[index - 9] ?? "");
}

/** {action, index?, key?, extend?} or null where the key is not for the grid. */
export function gridAction(event, classCount) {
  if (event.altKey) return null;
  if (event.ctrlKey || event.metaKey) return event.key.toLowerCase() === "a" ? { action: "all" } : null;
  if (MOVES.has(event.key)) return { action: "move", key: event.key, extend: event.shiftKey };
  if (event.key === " ") return { action: "toggle" };
  if (event.key === "Enter") return { action: "confirm" };
  if (event.key === "Escape") return { action: "leave" };
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code ?? "")?.[1];
  if (digit === "0") return { action: "notSure" };
  if (digit) return Number(digit) <= Math.min(classCount, 9) ? { action: "class", index: Number(digit) - 1 } : null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (FIXED[key]) return { action: FIXED[key] };
  const index = FREE.indexOf(key) + 9;
  return index >= 9 && index < classCount ? { action: "class", index } : null;
}
