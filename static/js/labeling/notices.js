/* What a reader has to know until they close it: answers that were not taken, undos that failed, new guidelines. */
import { answerName } from "./status.js";

const WHAT = { undo: "Not undone", skip: "Not put aside", edit: "A change was not taken", answer: "An answer was not taken" };

/** "An answer was not taken: round for crop 0f3a:12:40. This study has no open class … It comes again: answer it anew." */
export function refusalText({ kind, body }, reason, { names, crop, comesAgain }) {
  const said = body.answer && kind !== "undo" ? answerName({ classes: [], ...body }, names) : "";
  // Readers of a blind study are not told where a crop comes from: it has no name.
  const which = crop?.key ? `crop ${crop.key}` : "";
  const about = [said, which].filter(Boolean).join(" for ");
  const what = `${WHAT[kind] ?? WHAT.answer}${about ? `: ${about}` : ""}`;
  return [what, reason, advice(kind, body, comesAgain)].map((part) => part.replace(/\.$/, "")).filter(Boolean).map((part) => `${part}.`).join(" ");
}

function advice(kind, body, comesAgain) {
  if (comesAgain) return "The crop comes again: answer it anew";
  if (kind === "undo") return "“Your answers” shows what stands";
  return body.replaces ? "Your answer before it stands" : "";
}

export const UNLOCKED =
  "This study is set up for a protocol, and none is locked yet. Any answer makes the lock impossible: ask the lead first.";

/** "Guidelines version 2 since 2026-11-30: folded tissue is bad. Press g to read them." */
export function unopenedText({ number, since, change }) {
  const what = change ? `: ${change.replace(/\.$/, "")}` : "";
  return `Guidelines version ${number} since ${since}${what}. Press g to read them.`;
}

export class Notices {
  /** showAgain(crop) brings a crop back on screen; closed() gives the focus back. */
  constructor({ holder, showAgain, closed }) {
    Object.assign(this, { holder, showAgain, closed, shown: new Map() });
  }

  /** One notice for each topic; `crop` is offered to be shown again. */
  add(text, { topic = text, crop = null } = {}) {
    this.drop(topic);
    const notice = document.createElement("div");
    const words = document.createElement("p");
    notice.className = "notice warn";
    words.textContent = text;
    notice.append(words);
    if (crop) notice.append(this.button("Show it again", () => this.close(topic, () => this.showAgain(crop))));
    notice.append(this.button("Close", () => this.close(topic)));
    this.shown.set(topic, notice);
    this.holder.append(notice);
  }

  button(text, job) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = text;
    button.addEventListener("click", job);
    return button;
  }

  close(topic, job = () => {}) {
    this.drop(topic);
    this.closed();
    job();
  }

  drop(topic) {
    this.shown.get(topic)?.remove();
    this.shown.delete(topic);
  }
}
