/* The note to the crop on screen. What is typed belongs to that crop until it is answered, whatever is shown meanwhile. */

const USUAL = "note, saved with the answer";
const CHANGED = "the crop has changed: Enter goes on";

export class Note {
  constructor({ find }) {
    this.input = find("note");
    this.frame = this.input.parentElement;
    this.crop = null;
    this.drafts = new Map();
    this.aside = new Map(); // What was typed and closed: it goes with no answer, and comes back where it was.
    this.input.addEventListener("blur", () => this.wake());
  }

  get text() {
    return this.input.value.trim();
  }

  /** Another crop is on screen, or none; `before` is its answer where it was answered here. */
  show(crop, before) {
    if (this.crop) this.keep(this.crop.id, this.text);
    this.crop = crop;
    this.input.value = (crop && (this.drafts.get(crop.id) ?? before?.body?.reason)) ?? "";
    // Under fingers that type the field stays, deaf: their next letters would be answers.
    const isTyping = document.activeElement === this.input;
    this.input.readOnly = isTyping;
    this.input.placeholder = isTyping ? CHANGED : USUAL;
    this.frame.hidden = !this.input.value && !isTyping;
  }

  keep(id, text) {
    if (text) this.drafts.set(id, text);
    else this.drafts.delete(id);
  }

  open() {
    if (!this.crop) return;
    this.frame.hidden = false;
    if (!this.input.value) this.input.value = this.aside.get(this.crop.id) ?? "";
    this.aside.delete(this.crop.id);
    this.input.focus();
  }

  /** Nothing is to be said of the crop on screen for now; returns whether something was typed, which is kept. */
  close() {
    const { text } = this;
    if (this.crop && text) this.aside.set(this.crop.id, text);
    this.input.value = "";
    this.frame.hidden = true;
    return Boolean(text);
  }

  /** After a crop changed under the fingers. */
  wake() {
    if (!this.input.readOnly) return;
    Object.assign(this.input, { readOnly: false, placeholder: USUAL });
    this.frame.hidden = !this.input.value;
  }
}
