/* One table from keys to actions, with the keys of one's own over it. Pure. */

/** What keys do besides naming a class: id, usual key, short name, and what the sheet says more. */
export const ACTIONS = [
  ["notSure", "0", "not sure", "a full answer, used as such"],
  ["reasons", "Shift+0", "reason", "why the last crop was not sure, or a wrong object; then 1 to 4"],
  ["bad", "x", "bad crop", "out of focus, cut off, no object"],
  ["wrong", "w", "wrong object", "the outline is around something else, or around two"],
  ["accept", "Enter", "accept", "takes the suggestion, where there is one"],
  ["undo", "z", "undo", "takes the last answer back; again for the one before"],
  ["back", "ArrowLeft", "look back", "at the crop before; its answer stands until another is given"],
  ["next", ".", "next unanswered", "after looking back"],
  ["skip", "s", "skip", "puts the crop aside without an answer"],
  ["find", "/", "find a class", "by a part of its name"],
  ["note", "n", "note", "is saved with the next answer"],
  ["comments", "c", "comments", "on the crop, for others to read"],
  ["guidelines", "g", "guidelines", "and examples of the classes"],
  ["sitting", ",", "session", "stay at one place, leave out what is hard to tell, easy crops in between"],
  ["pause", "p", "pause", "gives your crops back"],
  ["invert", "i", "invert", "light and dark"],
  ["cycle", "m", "grey", "each channel alone, then all in colour again"],
  ["peek", "r", "as it came", "the experiment's own window, as long as the key is held"],
  ["outline", " ", "outline", "shows or hides outline and dot"],
  ["zoomIn", "+", "zoom in", "the wheel too; drag to move, double click for the whole crop"],
  ["zoomOut", "-", "zoom out", "until the whole crop is there"],
  ["field", "f", "whole field", "or slide, the object marked"],
  ["planeDown", "[", "plane down", "in a stack; Alt and the wheel too"],
  ["planeUp", "]", "plane up", "in a stack"],
  ["keys", "?", "keys", "this sheet"],
].map(([id, key, name, label]) => ({ id, key, name, label }));

/** Letters that name classes after the nine digits, row by row; those that do something else are not among them. */
export const LETTERS = [..."qetyuoadhjklvb"];
export const CLASS_KEYS = 9 + LETTERS.length;
const CHANNELS = 9;
// Escape closes, Tab moves: they are nobody's to give away.
const KEPT_BACK = new Set(["Escape", "Tab", "Shift", "Control", "Alt", "Meta", "CapsLock", "Dead", "Unidentified", "AltGraph"]);
// On many keyboards + is written with shift: without it the key means the same, where nobody gave it something else.
const UNSHIFTED = { "=": "+" };
const SPOKEN = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Enter: "↵" };

const NO_LATIN = /^(?!\p{Script=Latin})\p{L}$/u;
// Where other alphabets have letters, the signs of these places.
const SIGNS = { BracketLeft: "[", BracketRight: "]", Comma: ",", Period: ".", Slash: "/", Semicolon: ";", Quote: "'", Backquote: "`" };

function digitOf({ code, shiftKey }) {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(code ?? "")?.[1];
  return digit && (shiftKey ? `Shift+${digit}` : digit);
}

/** What the key writes, in lower case; for a letter of another alphabet also what stands at its place in Latin. */
function signsOf({ key, code }) {
  if (!key || KEPT_BACK.has(key)) return [];
  const sign = key.length === 1 ? key.toLowerCase() : key;
  const latin = NO_LATIN.test(sign) && (/^Key([A-Z])$/.exec(code ?? "")?.[1].toLowerCase() ?? SIGNS[code]);
  return latin ? [sign, latin] : [sign];
}

/** Whether AltGr makes a sign of the key: with it a plain letter or digit is a shortcut of the system. */
function isThirdLevel(event) {
  return Boolean(event.getModifierState?.("AltGraph")) && !/^[a-z\d]$/i.test(event.key);
}

/**
 * The names that a key goes by, the most telling first: digits by their place, so that other layouts work. The sign that
 * shift writes there comes before (German has / on Shift+7), and what AltGr writes is all there is. Empty when not for us.
 */
export function keyNames(event) {
  if (event.isComposing) return [];
  if (isThirdLevel(event)) return signsOf(event);
  if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState?.("AltGraph")) return [];
  const digit = digitOf(event);
  if (!digit) return signsOf(event);
  return event.shiftKey && !/^\d$/.test(event.key) ? [...signsOf(event), digit] : [digit];
}

/** What is printed on a button: "Space" for " ", "⇧0" for "Shift+0". */
export function printed(key) {
  return SPOKEN[key] ?? key.replace("Shift+", "⇧");
}

/** The usual key of a class at this place: 1 to 9, then letters; "" when they run out. */
export function classKey(index) {
  return index < 9 ? String(index + 1) : (LETTERS[index - 9] ?? "");
}

/** The usual key of an action: of ACTIONS, "class:3" or "channel:2". */
export function usualKey(action) {
  const [kind, number] = action.split(":");
  if (kind === "class") return classKey(Number(number) - 1);
  if (kind === "channel") return `Shift+${number}`;
  return ACTIONS.find(({ id }) => id === action)?.key ?? "";
}

/** Which key does what, for one person in a study with so many classes. `own`: {action: key} where they differ. */
export class KeyMap {
  constructor(own = {}, classCount = 0) {
    this.own = { ...own };
    const classes = Array.from({ length: Math.min(classCount, CLASS_KEYS) }, (_, index) => `class:${index + 1}`);
    const channels = Array.from({ length: CHANNELS }, (_, index) => `channel:${index + 1}`);
    this.actions = [...classes, ...ACTIONS.map(({ id }) => id), ...channels];
    this.byKey = new Map();
    // Keys of one's own first: what is usual yields to them.
    const taken = this.actions.filter((action) => action in this.own);
    for (const action of taken) this.give(action, this.own[action]);
    for (const action of this.actions) if (!(action in this.own)) this.give(action, usualKey(action));
  }

  give(action, key) {
    if (key && !this.byKey.has(key)) this.byKey.set(key, action);
  }

  /** The key of an action; "" where it has none. */
  keyOf(action) {
    const key = this.own[action] ?? usualKey(action);
    return this.byKey.get(key) === action ? key : "";
  }

  /** {action, index?} for a key's name, or null. */
  at(key) {
    const found = this.byKey.get(key) ?? this.byKey.get(UNSHIFTED[key]);
    if (!found) return null;
    const [action, number] = found.split(":");
    return number ? { action, index: Number(number) - 1 } : { action };
  }

  /** The name by which a key event does something, else the one to keep it by; null when it is not for us. */
  nameOf(event) {
    const names = keyNames(event);
    return names.find((name) => this.byKey.has(name)) ?? names.at(-1) ?? null;
  }

  /** What a key event asks for, or null when it is not for us. */
  asked(event) {
    return this.at(this.nameOf(event));
  }

  /** The other action that would lose this key; null where it is free. */
  conflict(action, key) {
    const other = this.byKey.get(key);
    return other && other !== action ? other : null;
  }

  /** One's own keys after `action` has taken `key`; whoever had it keeps none. */
  with(action, key) {
    const other = this.conflict(action, key);
    const own = { ...this.own, [action]: key };
    if (other) own[other] = "";
    for (const [name, given] of Object.entries(own)) if (given === usualKey(name)) delete own[name];
    return own;
  }
}

/** Whether the person is typing text, where letters are letters. */
export function isTyping(target) {
  if (!target?.closest) return false;
  const field = target.closest("input, textarea, select, [contenteditable]");
  return Boolean(field) && !["range", "color", "checkbox", "radio", "button"].includes(field.type);
}
