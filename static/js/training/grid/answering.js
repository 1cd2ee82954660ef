/* Giving one answer to many crops: "assign" to the chosen ones, or "exceptions", where the chosen ones are wrong. */
import { getBytes, getJson } from "../../shared/api.js";
import { newId } from "../../shared/ids.js";
import { unpack } from "./packed.js";
import { isOpen, requestsFor } from "./steps.js";
import { answerName, counted, stepWords, unseenWords } from "./words.js";

const EXAMPLES = 8;
const EXAMPLE_SIDE = 64;
const OTHERS = { "not-sure": "not_sure", "bad-crop": "bad_crop", "wrong-object": "wrong_object" };

/** Whether the crop's answer is this one already. */
function says({ answer }, choice) {
  return answer?.kind === choice.answer && (answer.label ?? null) === (choice.classes[0] ?? null);
}

export class Answering {
  /** page: what is shown; selection: what is chosen; seen: crops that were on screen; changed() redraws; say(text, tone)
   *  tells. */
  constructor(parts) {
    Object.assign(this, parts);
    this.choice = null;
    this.others = new Map(); // Exceptions that get another class: place -> key.
    this.aside = "";
    this.buttons = [...document.querySelectorAll("[data-class]")];
    this.find("mode")?.addEventListener("change", () => { this.selection.none(); this.reset(); this.changed(); });
  }

  /** In "exceptions" a page of one predicted class is confirmed but for what is marked. */
  get isExceptions() {
    return this.find("mode")?.value === "exceptions";
  }

  get predicted() {
    return this.find("grid-form").elements.namedItem("predicted")?.value ?? "";
  }

  reset() {
    this.others = new Map();
    if (!this.isExceptions) this.choice = this.choice ?? null;
  }

  choose(answer, key = null) {
    if (answer === "label" && !key) return;
    if (this.isExceptions) {
      if (answer !== "label") return this.say("In “exceptions”, marked crops stay unanswered or get another class.");
      for (const place of this.selection.places()) this.others.set(place, key);
      return;
    }
    this.choice = { answer, classes: key ? [key] : [] };
    if (key) this.showExamples(key);
  }

  /** The other class that a marked crop will get, or undefined. */
  otherOf(place) {
    const key = this.selection.has(place) ? this.others.get(place) : undefined;
    return key && says(this.page.crops[place], { answer: "label", classes: [key] }) ? undefined : key;
  }

  /** What the reader asks for: [{places, choice}]. */
  wishes() {
    if (!this.isExceptions) return this.choice ? [{ places: this.selection.places(), choice: this.choice }] : [];
    if (!this.predicted) return [];
    const rest = this.selection.others().filter((place) => {
      const { answer, predicted } = this.page.crops[place] ?? {};
      return !answer && predicted === this.predicted;
    });
    const found = [{ places: rest, choice: { answer: "label", classes: [this.predicted] } }];
    for (const key of new Set(this.others.values())) {
      const places = this.selection.places().filter((place) => this.others.get(place) === key);
      found.push({ places, choice: { answer: "label", classes: [key] } });
    }
    return found;
  }

  /** Whether somebody can have looked at the crop. In "exceptions" nobody chose it: it must have been on screen. */
  isSeen({ id }) {
    return Boolean(this.pictures.get(id)) && (!this.isExceptions || this.seen.has(id));
  }

  /** What Enter would do: {plans: [{places, choice}], unseen}. Crops whose answer waits, or stands already, get none;
   *  `unseen` counts those that nobody can have looked at. */
  plan() {
    const waiting = this.steps.waiting();
    let unseen = 0;
    const plans = this.wishes().map(({ places, choice }) => {
      const open = places.map((place) => this.page.crops[place]).filter((crop) => crop && isOpen(crop) && !waiting.has(crop.id) && !says(crop, choice));
      const crops = open.filter((crop) => this.isSeen(crop));
      unseen += open.length - crops.length;
      return { crops, choice };
    });
    return { plans: plans.filter(({ crops }) => crops.length), unseen };
  }

  confirm() {
    if (this.page.isLoading) return this.say("The page is being loaded: nothing was answered.");
    const { plans, unseen } = this.plan();
    if (!plans.length) return this.say(this.hint(unseen));
    const { ranking, displays } = this.page;
    const { opinions, user } = this.config;
    const context = { ranking, displays, opinions, annotator: user, newId, now: () => new Date() };
    this.aside = unseenWords(unseen, this.isExceptions);
    this.steps.add(plans.flatMap(({ crops, choice }) => requestsFor(crops, choice, context)));
    // Marks of exceptions stay: taken away, they would leave wrong crops for the next Enter to confirm.
    if (!this.isExceptions) this.selection.none();
  }

  hint(unseen) {
    if (unseen) return unseenWords(unseen, this.isExceptions);
    if (this.isExceptions && !this.predicted) return "Choose the predicted class first: “exceptions” confirms a page of one class.";
    if (this.isExceptions) return "Nothing is left to confirm on this page.";
    if (!this.selection.size) return "Select crops first: click, shift-click, drag, or Space.";
    if (!this.choice) return "Choose an answer first: press its key or its button.";
    return "Nothing to answer: the selected crops have this answer already, wait to be saved, or were answered in the reading room, which stands.";
  }

  /** The server's word on a request: the page shows what stands now. */
  took({ kind, body }, { results }) {
    const crops = new Map(this.page.crops.map((crop) => [crop.id, crop]));
    for (const { crop: id, outcome, annotation } of results) {
      const crop = crops.get(id);
      if (!crop || outcome !== "saved") continue;
      crop.answer = kind === "bulk-undo" ? null : { kind: body.answer, label: body.classes[0] ?? null, number: annotation, is_bulk: true };
    }
    const saved = results.filter(({ outcome }) => outcome === "saved").length;
    if (kind === "bulk-undo") this.say(`Taken back: ${counted(saved, "answer")}.`);
    else this.say([stepWords(results), this.aside].filter(Boolean).join(" "), saved === results.length && !this.aside ? "quiet" : "warn");
    document.getElementById("main").dataset.answered = String(this.page.crops.filter(({ answer }) => answer).length);
    this.changed();
  }

  undo() {
    const dropped = this.steps.undo();
    if (dropped === null) this.say("There is nothing to undo on this page.");
    else if (dropped) this.say(`Taken back: ${counted(dropped, "answer")}.`);
  }

  /** The confirm button says what it would do. */
  refresh() {
    const { plans, unseen } = this.plan();
    const number = plans.reduce((sum, { crops }) => sum + crops.length, 0);
    const what = plans.length === 1 ? ` as ${answerName(plans[0].choice, this.names)}` : "";
    const verb = this.isExceptions ? "Confirm" : "Answer";
    this.find("confirm-text").textContent = number ? `${verb} ${counted(number)}${what}` : verb;
    const rest = this.isExceptions ? unseenWords(unseen, true) : "";
    if (this.find("grid-unseen").textContent !== rest) this.find("grid-unseen").textContent = rest;
    this.find("confirm").setAttribute("aria-disabled", String(!number));
    const chosen = this.isExceptions ? null : this.choice;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(chosen?.classes[0] === button.dataset.class));
    for (const [id, answer] of Object.entries(OTHERS)) this.find(id).setAttribute("aria-pressed", String(chosen?.answer === answer));
  }

  /** A few crops that carry the class already. */
  async showExamples(key) {
    const { urls } = this.config;
    this.shownKey = key;
    const strip = this.find("examples");
    try {
      const reply = await getJson(`${urls.grid}?given=${encodeURIComponent(key)}&state=labelled&count=${EXAMPLES}`);
      if (this.shownKey !== key) return;
      strip.hidden = false;
      this.find("examples-title").textContent = reply.total ? `Labelled ${this.names.get(key)} already (${reply.total.toLocaleString("en")})` : `Nothing is labelled ${this.names.get(key)} yet`;
      this.find("examples-crops").replaceChildren();
      if (!reply.crops.length) return;
      const { buffer } = await getBytes(`${urls.grid_pixels}?crops=${reply.crops.map(({ id }) => id).join(",")}&side=${EXAMPLE_SIDE}`);
      if (this.shownKey === key) this.paintExamples(reply, unpack(buffer));
    } catch {
      if (this.shownKey === key) strip.hidden = true;
    }
  }

  paintExamples({ crops, displays }, { meta, blocks }) {
    const display = new Map(crops.map((crop) => [crop.id, displays[crop.display]]));
    meta.crops.forEach((id, at) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Crop ${id}`);
      const { data, shape, dtype } = blocks[at];
      const { channels, is_rgb: isRgb } = display.get(id);
      this.pictures.painter.draw(canvas, { pixels: data, shape, dtype, isRgb }, channels);
      this.find("examples-crops").append(canvas);
    });
  }
}
