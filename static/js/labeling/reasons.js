/* Why the last crop was "not sure" or a wrong object: a strip that never stands in the way of the next answer. */
import { keyNames } from "../shared/keys.js";

export const REASONS = {
  not_sure: [
    ["out_of_focus", "out of focus"],
    ["artefact", "artefact"],
    ["between_classes", "between two classes"],
    ["needs_context", "needs more context"],
  ],
  wrong_object: [
    ["two_objects", "two objects"],
    ["cut_off", "cut off"],
    ["wrong_outline", "wrong outline"],
  ],
};
const ASKS = { not_sure: "Not sure, because", wrong_object: "Wrong object, because" };

/** Number of the reason that a key names once the strip waits for one: 0 to 3, or null. */
export function reasonAt(event, count) {
  const digit = keyNames(event).find((name) => /^[1-9]$/.test(name)) ?? 0;
  return digit && digit <= count ? digit - 1 : null;
}

export class Reasons {
  constructor({ find, session }) {
    Object.assign(this, { find, session, entry: null, armed: false });
    this.strip = find("reasons");
    this.holder = find("reason-buttons");
  }

  /** After an answer: the strip for it, where it has reasons; not while an answered crop is looked at. */
  show(last, before) {
    this.entry = !before && REASONS[last?.answer] ? last : null;
    this.disarm();
    this.strip.hidden = !this.entry;
    this.strip.parentElement.classList.toggle("asks", Boolean(this.entry));
    if (this.entry) this.fill();
  }

  fill() {
    const { answer, body } = this.entry;
    this.find("reasons-for").textContent = ASKS[answer];
    this.holder.replaceChildren(...REASONS[answer].map(([code, name], index) => this.button(code, name, index, body.reason_code)));
  }

  button(code, name, index, chosen) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = String(index + 1);
    button.type = "button";
    button.className = "chip";
    button.setAttribute("aria-pressed", String(code === chosen));
    button.append(key, name);
    button.addEventListener("click", () => this.choose(index));
    return button;
  }

  /** The next digit names a reason. */
  arm() {
    if (!this.entry) return;
    this.armed = true;
    this.strip.classList.add("armed");
  }

  disarm() {
    this.armed = false;
    this.strip.classList.remove("armed");
  }

  /** Whether a key event was meant for the strip; any other key does what it always does. */
  takes(event) {
    if (!this.armed || event.key === "Shift") return this.armed;
    const index = reasonAt(event, this.holder.childElementCount);
    this.disarm();
    if (event.key !== "Escape" && index === null) return false;
    event.preventDefault();
    if (index !== null) this.choose(index);
    return true;
  }

  choose(index) {
    const [code] = REASONS[this.entry.answer][index];
    this.session.amend(this.entry, code);
    this.disarm();
    this.fill();
    this.find("trouble").textContent = `Reason: ${REASONS[this.entry.answer][index][1]}`;
  }
}
