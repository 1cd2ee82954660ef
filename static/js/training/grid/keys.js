/* What a key asks for in the grid: classes and answers as in the reading room, the rest on what these leave free. */
import { KeyMap, keyNames } from "../../shared/keys.js";

/** On the reading room's keys, a person's own among them: one key never means two answers. */
const AS_IN_THE_ROOM = new Set(["class", "notSure", "bad", "wrong", "undo", "keys"]);
const FIXED = { " ": "toggle", Enter: "confirm" };
const MOVES = new Set(["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);
const USUAL = { all: "a", invert: "s", none: "n", context: "c", open: "o", pin: "i", map: "v" };
// For what loses its usual key to a class or an answer; the room names no class with these.
const SPARE = [..."gmprf"];

export class GridKeys {
  /** own: {action: key} of this person, as the reading room keeps them. */
  constructor(own = {}, classCount = 0) {
    this.room = new KeyMap(own, classCount);
    this.byKey = new Map(Object.entries(FIXED));
    for (const [action, usual] of Object.entries(USUAL)) {
      const key = [usual, ...SPARE].find((one) => !this.byKey.has(one) && !this.answerAt(one));
      if (key) this.byKey.set(key, action);
    }
  }

  /** What the room's key does here too, or null. */
  answerAt(key) {
    const found = this.room.at(key);
    return found && AS_IN_THE_ROOM.has(found.action) ? found : null;
  }

  /** The key of an action, "class:3" among them; "" where it has none. */
  keyOf(action) {
    for (const [key, own] of this.byKey) if (own === action) return key;
    const key = this.room.keyOf(action);
    return MOVES.has(key) || key in FIXED ? "" : key;
  }

  /** {action, index?, key?, extend?} or null where the key is not for the grid. */
  asked(event) {
    const names = keyNames(event);
    const holds = event.ctrlKey || event.metaKey;
    if (!names.length && (holds || event.altKey)) return holds && event.key.toLowerCase() === "a" ? { action: "all" } : null;
    if (MOVES.has(event.key)) return { action: "move", key: event.key, extend: event.shiftKey };
    if (event.key === "Escape") return { action: "leave" };
    return names.map((name) => this.at(name)).find(Boolean) ?? null;
  }

  at(key) {
    const action = this.byKey.get(key);
    return action ? { action } : this.answerAt(key);
  }
}
