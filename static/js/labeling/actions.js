/* What each key and button of the reading room does. */
import { isTyping } from "../shared/keys.js";
import { forgetAnswer, markAnswer } from "../shared/pace.js";
import { keepFocus, onPress } from "../shared/press.js";
import { GONE } from "./classes.js";
import { windowLog } from "./windows.js";

const BUTTONS = {
  "not-sure": "notSure", "bad-crop": "bad", "wrong-object": "wrong", suggestion: "accept", skip: "skip", undo: "undo",
  pause: "pause", "open-find": "find", "open-keys": "keys", "open-guidelines": "guidelines", "open-note": "note", "open-comments": "comments",
  "open-sitting": "sitting",
};
const ANSWERS = new Set(["notSure", "bad", "wrong", "accept", "skip"]);
// What has the focus keeps these keys for itself: buttons and links that were reached by keyboard, and sliders.
const OWN_TO_BUTTONS = new Set([" ", "Enter"]);
const OWN_TO_SLIDERS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);
const FLASH_MS = 80;

export function flash(button) {
  if (!button) return;
  button.classList.add("flash");
  setTimeout(() => button.classList.remove("flash"), FLASH_MS);
}

function isOwnTo(target, key) {
  if (OWN_TO_SLIDERS.has(key)) return Boolean(target.closest?.("input[type=range]"));
  return OWN_TO_BUTTONS.has(key) && Boolean(target.closest?.("button, a, summary, input:not([type=range])")?.matches(":focus-visible"));
}

export class Actions {
  constructor(parts) {
    Object.assign(this, parts);
    this.table = {
      class: (index) => this.chooseClass(index, this.classes.buttons[index]),
      notSure: () => this.answer("not_sure", [], this.find("not-sure")),
      bad: () => this.answer("bad_crop", [], this.find("bad-crop")),
      wrong: () => this.answer("wrong_object", [], this.find("wrong-object")),
      accept: () => this.accept(),
      reasons: () => this.reasons.arm(),
      undo: () => this.undo(),
      back: () => this.session.back() || this.status.tell("There is no crop before this one on this page."),
      next: () => this.session.forward() || this.status.tell("This is the next unanswered crop."),
      skip: () => this.session.skip() && flash(this.find("skip")),
      find: () => this.classes.openFinder(),
      note: () => this.openNote(),
      comments: () => this.session.current && this.sheets.comments.open(this.session.current),
      guidelines: () => this.sheets.guide.open(),
      sitting: () => (this.session.config.cases ? this.status.tell("Cases come in an order of your own: there is nothing to choose.") : this.sheets.sitting.open()),
      pause: () => this.pause(),
      ...this.eye.actions,
      keys: () => this.keys.open(),
    };
  }

  bind() {
    for (const [id, action] of Object.entries(BUTTONS)) {
      const listen = ANSWERS.has(action) ? onPress : (element, job) => element.addEventListener("click", job);
      listen(this.find(id), () => this.perform(action));
    }
    this.find("look-again").addEventListener("click", () => this.session.refill());
    keepFocus(this.main);
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("pointerdown", () => this.session.markKey());
  }

  perform(action, index) {
    if (action !== "keys" && (this.session.isOut || (this.status.paused && action !== "pause"))) return;
    this.table[action]?.(index);
  }

  onKey(event) {
    if (event.target === this.find("note") && ["Enter", "Escape"].includes(event.key)) {
      if (event.key === "Escape") this.closeNote();
      this.main.focus();
      return;
    }
    if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
    if (!event.repeat) this.session.markKey();
    if (this.reasons.takes(event)) return;
    const asked = this.keys.map.asked(event);
    // A key that is held down must not answer crop after crop, nor press the button that has the focus again and again.
    const isHeldPress = event.repeat && OWN_TO_BUTTONS.has(event.key);
    if (!isHeldPress && (!asked || isOwnTo(event.target, event.key))) return;
    event.preventDefault();
    if (!event.repeat) this.perform(asked.action, asked.index);
  }

  chooseClass(index, button) {
    const chosen = this.classes.list[index];
    if (chosen?.isGone) this.status.tell(`“${chosen.name}” is no class of this study any more: ${GONE}.`);
    else if (chosen && !this.status.paused && !this.session.isOut) this.answer("label", [chosen.key], button);
  }

  answer(kind, classes, button, suggestedBy = "") {
    markAnswer();
    const crop = this.session.current;
    const window = crop ? windowLog(this.eye.windows.shown(crop.channels)) : [];
    this.session.note = this.note.text;
    if (!this.session.answer(kind, classes, window, suggestedBy)) {
      forgetAnswer();
      return;
    }
    flash(button);
    this.note.keep(crop.id, "");
  }

  accept() {
    const offered = this.suggestion.offered;
    if (offered) this.answer("label", [offered.class], this.find("suggestion"), offered.model);
  }

  undo() {
    flash(this.find("undo"));
    this.session.undo();
  }

  async pause() {
    await (this.session.paused ? this.session.resume() : this.session.pause());
    this.status.refresh();
  }

  openNote() {
    this.note.open();
  }

  closeNote() {
    if (this.note.close()) this.status.tell("The note is put aside and goes with no answer: the note's key brings it back.");
  }
}
