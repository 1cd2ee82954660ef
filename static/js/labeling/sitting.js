/* How the reader wants to be served for now: a small form, and what it says on the page. */
import { count } from "../shared/text.js";

const PLACES = { experiment: "experiment", sample: "slide or well", image: "image" };

/** "this image: 12 left · easy 20 %"; "" where crops come as usual. `waiting`: answers that the server may not know. */
export function sittingLine({ stay_on: kind, left, not_sure_ceiling: ceiling, easy_share: easy }, waiting = 0) {
  const here = Math.max(0, (left ?? 0) - waiting);
  const where = here ? `staying on this ${PLACES[kind]}: ${count(here)} left` : `staying on one ${PLACES[kind]} at a time`;
  return [
    PLACES[kind] ? where : "",
    typeof ceiling === "number" ? `not sure up to ${Math.round(100 * ceiling)} %` : "",
    easy ? `easy ${Math.round(100 * easy)} %` : "",
  ].filter(Boolean).join(" · ");
}

/** Answers and skipped crops on their way: each is one crop fewer at the place. */
export function passedCrops(items) {
  const fresh = items.filter(({ kind, body, standing }) => ["answer", "skip"].includes(kind) && !body.replaces && !standing);
  return fresh.length - items.filter(({ kind }) => kind === "undo").length;
}

/** What the form says in the API's words; a question that nobody answered is left out. */
export function wishes({ stay_on: stayOn, stay_for: stayFor, not_sure_ceiling: ceiling, easy_share: easy }) {
  const said = {};
  if (stayOn !== undefined) said.stay_on = stayOn;
  if (stayOn && stayFor) said.stay_for = Number(stayFor);
  if (ceiling !== undefined) said.not_sure_ceiling = ceiling === "" ? null : Number(ceiling);
  if (easy !== undefined) said.easy_share = Number(easy);
  return said;
}

/** Those wishes that are not so already. */
export function changes(said, sitting) {
  return Object.fromEntries(Object.entries(said).filter(([name, value]) => value !== (sitting[name] ?? null)));
}

export class SittingSheet {
  /** save(changes) stores them and resolves with the sitting as it is then. */
  constructor({ find, session, save, told }) {
    Object.assign(this, { find, session, save, told });
    this.dialog = find("sitting-dialog");
    this.form = find("sitting-form");
    this.note = find("sitting-note");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    this.form.addEventListener("change", () => this.follow());
    find("lift-ceiling").addEventListener("click", () => this.lift());
  }

  open() {
    this.note.textContent = "";
    this.fill(this.session.sitting);
    this.dialog.showModal();
    this.form.querySelector("input:checked")?.focus();
  }

  /** Shows what holds now; a value that is none of the steps marks none of them. */
  fill(sitting) {
    for (const step of this.form.querySelectorAll("input[type=radio]")) {
      step.checked = step.value === String(sitting[step.name] ?? "");
    }
    if (sitting.stay_for) this.form.elements.stay_for.value = sitting.stay_for;
    this.follow();
  }

  /** How long to stay is a question only for who stays. */
  follow() {
    this.form.elements.stay_for.disabled = !this.form.elements.stay_on.value;
  }

  async apply() {
    const wanted = changes(wishes(Object.fromEntries(new FormData(this.form))), this.session.sitting);
    if (!Object.keys(wanted).length) this.dialog.close();
    else await this.keep(wanted);
  }

  /** Closes the sheet before the page says what holds now: whoever reads that can answer at once. */
  async keep(wanted) {
    try {
      const sitting = await this.save(wanted);
      this.dialog.close();
      await this.session.sitDown(sitting);
    } catch (error) {
      this.note.textContent = `Nothing was changed: ${error.message}.`;
      return false;
    }
    return true;
  }

  /** Out of the page that says that everything left is above the ceiling. */
  async lift() {
    if (!(await this.keep({ not_sure_ceiling: null }))) this.told(this.note.textContent);
  }
}
