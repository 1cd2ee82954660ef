/* What each key and button of the reading room does. */
import { isTyping } from "../shared/keys.js";
import { onPress } from "../shared/press.js";

const BUTTONS = {
  "not-sure": "notSure", "bad-crop": "bad", "wrong-object": "wrong", suggestion: "accept", skip: "skip", undo: "undo", invert: "invert",
  pause: "pause", "open-find": "find", "open-keys": "keys", "open-guidelines": "guidelines", "open-note": "note", "open-comments": "comments",
};
const ANSWERS = new Set(["notSure", "bad", "wrong", "accept", "skip"]);
// A focused button or link keeps these keys for itself.
const OWN_TO_BUTTONS = new Set([" ", "Enter"]);
const FLASH_MS = 80;

export function flash(button) {
  if (!button) return;
  button.classList.add("flash");
  setTimeout(() => button.classList.remove("flash"), FLASH_MS);
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
      pause: () => this.pause(),
      channel: (index) => this.panel.toggle(index),
      invert: () => this.invert(),
      outline: () => this.view.toggleOutline(),
      keys: () => this.keys.open(),
    };
  }

  bind() {
    for (const [id, action] of Object.entries(BUTTONS)) {
      const listen = ANSWERS.has(action) ? onPress : (element, job) => element.addEventListener("click", job);
      listen(this.find(id), () => this.perform(action));
    }
    this.find("window-auto").addEventListener("click", () => this.panel.auto());
    this.find("window-fit").addEventListener("click", () => this.panel.fit());
    this.find("look-again").addEventListener("click", () => this.session.refill());
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("pointerdown", () => this.session.markKey());
  }

  perform(action, index) {
    if (this.status.paused && action !== "pause" && action !== "keys") return;
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
    if (!asked || (OWN_TO_BUTTONS.has(event.key) && event.target.closest?.("button, a, summary, input"))) return;
    event.preventDefault();
    // A key that is held down must not answer crop after crop.
    if (!event.repeat) this.perform(asked.action, asked.index);
  }

  chooseClass(index, button) {
    const chosen = this.classes.list[index];
    if (chosen && !this.status.paused) this.answer("label", [chosen.key], button);
  }

  answer(kind, classes, button, suggestedBy = "") {
    performance.mark("answer-key");
    const crop = this.session.current;
    const window = crop ? this.windows.shown(crop.channels).map(({ low, high, on }) => ({ low, high, on })) : [];
    this.session.note = this.find("note").value.trim();
    if (!this.session.answer(kind, classes, window, suggestedBy)) {
      performance.clearMarks("answer-key");
      return;
    }
    flash(button);
    this.closeNote();
  }

  accept() {
    const offered = this.suggestion.offered;
    if (offered) this.answer("label", [offered.class], this.find("suggestion"), offered.model);
  }

  undo() {
    flash(this.find("undo"));
    this.session.undo();
  }

  pause() {
    const paused = !this.status.paused;
    this.status.paused = paused;
    this.find("pause").setAttribute("aria-pressed", String(paused));
    this.attention.see(!paused);
    if (paused) {
      this.main.dataset.state = "paused";
      this.rest();
    } else {
      this.main.dataset.state = "loading";
      this.session.refill().then(() => this.session.show(this.session.current));
    }
    this.status.refresh();
  }

  invert() {
    this.view.invert = !this.view.invert;
    this.find("invert").setAttribute("aria-pressed", String(this.view.invert));
    this.draw();
  }

  openNote() {
    this.find("note").parentElement.hidden = false;
    this.find("note").focus();
  }

  closeNote() {
    this.find("note").value = "";
    this.find("note").parentElement.hidden = true;
  }
}
