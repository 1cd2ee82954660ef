/* The sheet of all keys, on which a person gives actions other keys. */
import { GONE } from "./classes.js";
import { ACTIONS, KeyMap, printed } from "../shared/keys.js";

// Where keys are printed on the page besides the classes.
const PRINTED = {
  "not-sure": "notSure", "bad-crop": "bad", "wrong-object": "wrong", skip: "skip", undo: "undo", invert: "invert", pause: "pause", suggestion: "accept",
  "open-find": "find", "open-keys": "keys", "open-guidelines": "guidelines", "open-note": "note", "open-comments": "comments", "open-sitting": "sitting", reasons: "reasons",
  grey: "cycle", "peek-hint": "peek", "open-field": "field", "z-down": "planeDown", "z-up": "planeUp",
};
// Where the key is told when the pointer rests there.
const TITLED = { "zoom-in": "zoomIn", "zoom-out": "zoomOut" };

const HINT = "Press a key in the list to give that action another one; it is kept for your account.";

export class KeySheet {
  /** own: {action: key} of this person; save(own) stores them and resolves once they are. */
  constructor({ find, classes, channels, own, save }) {
    Object.assign(this, { find, classes, channels, save, asking: null });
    this.dialog = find("keys-dialog");
    this.note = find("key-note");
    this.choice = find("key-choice");
    this.use(own);
    this.dialog.addEventListener("keydown", (event) => this.capture(event));
    this.dialog.addEventListener("close", () => this.stop());
    find("keys-reset").addEventListener("click", () => this.keep({}, "All keys are the usual ones again."));
    find("key-take").addEventListener("click", () => this.keep(this.wish, this.done));
    find("key-leave").addEventListener("click", () => this.stop("Nothing was changed."));
  }

  use(own) {
    this.map = new KeyMap(own, this.classes.list.length);
    this.classes.printKeys(this.map);
    this.channels.printKeys(this.map);
    for (const [id, action] of Object.entries(PRINTED)) {
      const key = this.find(id).querySelector("kbd");
      key.textContent = printed(this.map.keyOf(action));
      key.hidden = !this.map.keyOf(action);
    }
    for (const [id, action] of Object.entries(TITLED)) {
      const button = this.find(id);
      const key = this.map.keyOf(action);
      button.title = key ? `${button.getAttribute("aria-label")} (${printed(key)})` : button.getAttribute("aria-label");
    }
  }

  open() {
    this.use(this.map.own);
    this.stop(HINT);
    this.list();
    this.dialog.showModal();
  }

  /** What an action is called where it is warned of. */
  nameOf(action) {
    const [kind, number] = action.split(":");
    if (kind === "class") return `the class ${this.classes.list[Number(number) - 1]?.name ?? number}`;
    if (kind === "channel") return `channel ${number}`;
    return ACTIONS.find(({ id }) => id === action)?.name ?? action;
  }

  list() {
    const keyed = this.classes.list.slice(0, this.map.actions.filter((action) => action.startsWith("class:")).length);
    const rows = keyed.map(({ name, description, isGone }, place) => [`class:${place + 1}`, [name, isGone ? GONE : description].filter(Boolean).join(": ")]);
    const actions = ACTIONS.map(({ id, name, label }) => [id, `${name}: ${label}`]);
    const channels = this.map.actions.filter((action) => action.startsWith("channel:")).map((action) => [action, `${this.nameOf(action)}: shows or hides it`]);
    this.find("key-rows").replaceChildren(...[...rows, ...actions, ...channels].map(([action, label]) => this.row(action, label)));
    this.find("keys-reset").hidden = !Object.keys(this.map.own).length;
  }

  row(action, label) {
    const row = document.createElement("tr");
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = printed(this.map.keyOf(action)) || "none";
    button.type = "button";
    button.className = "button bare key-button";
    button.dataset.action = action;
    button.setAttribute("aria-label", `${key.textContent}: change the key of ${this.nameOf(action)}`);
    button.append(key);
    button.addEventListener("click", () => this.ask(action));
    row.insertCell().append(button);
    row.insertCell().textContent = label;
    return row;
  }

  ask(action) {
    this.stop(`Press the key for ${this.nameOf(action)}, or Esc.`);
    this.asking = action;
    this.find("key-rows").querySelector(`[data-action="${action}"]`)?.classList.add("asking");
  }

  stop(text = null) {
    this.asking = null;
    this.choice.hidden = true;
    for (const row of this.find("key-rows").querySelectorAll(".asking")) row.classList.remove("asking");
    if (text !== null) this.note.textContent = text;
  }

  capture(event) {
    if (!this.asking) return;
    if (event.key === "Escape") {
      event.preventDefault(); // The sheet stays.
      this.stop("Nothing was changed.");
      return;
    }
    const key = this.map.nameOf(event);
    if (!key) return;
    event.preventDefault();
    this.propose(this.asking, key);
  }

  propose(action, key) {
    const other = this.map.conflict(action, key);
    this.wish = this.map.with(action, key);
    this.done = `${printed(key)} is now ${this.nameOf(action)}.`;
    if (!other) {
      this.keep(this.wish, this.done);
      return;
    }
    this.stop(`${printed(key)} is ${this.nameOf(other)}. Give it to ${this.nameOf(action)}? Then ${this.nameOf(other)} has no key.`);
    this.choice.hidden = false;
    this.find("key-take").focus();
  }

  async keep(own, text) {
    try {
      await this.save(own);
    } catch (error) {
      this.stop(`Not changed: ${error.message}.`);
      return;
    }
    this.use(own);
    this.stop(text);
    this.list();
  }
}
