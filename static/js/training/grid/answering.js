/* Giving one answer to many crops: "assign" to the chosen ones, or "exceptions", where the chosen ones are wrong. */
import { getBytes, getJson } from "../../shared/api.js";
import { unpack } from "./packed.js";
import { gridClassKey } from "./keys.js";
import { isOpen, requestsFor } from "./steps.js";
import { answerName, counted, stepWords } from "./words.js";

const EXAMPLES = 8;
const EXAMPLE_SIDE = 64;

export class Answering {
  /** page: what is shown; selection: what is chosen; changed() redraws; say(text, tone) tells. */
  constructor(parts) {
    Object.assign(this, parts);
    this.choice = null;
    this.others = new Map(); // Exceptions that get another class: place -> key.
    this.buttons = [...document.querySelectorAll("[data-class]")];
    this.buttons.forEach((button, index) => { button.querySelector("kbd").textContent = gridClassKey(index); });
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

  /** What Enter would do: [{places, choice}], empty where nothing would be answered. */
  plan() {
    const at = (places) => places.filter((place) => this.page.crops[place] && isOpen(this.page.crops[place]));
    if (!this.isExceptions) {
      const places = at(this.selection.places());
      return this.choice && places.length ? [{ places, choice: this.choice }] : [];
    }
    if (!this.predicted) return [];
    const rest = at(this.selection.others()).filter((place) => !this.page.crops[place].answer && this.page.crops[place].predicted === this.predicted);
    const plans = [{ places: rest, choice: { answer: "label", classes: [this.predicted] } }];
    for (const key of new Set(this.others.values())) {
      const places = at([...this.others].filter(([place, other]) => other === key && this.selection.has(place)).map(([place]) => place));
      plans.push({ places, choice: { answer: "label", classes: [key] } });
    }
    return plans.filter(({ places }) => places.length);
  }

  confirm() {
    const plans = this.plan();
    if (!plans.length) return this.say(this.hint());
    const context = {
      ranking: this.page.ranking, displays: this.page.displays, opinions: this.config.opinions,
      newId: () => crypto.randomUUID(), now: () => new Date(),
    };
    const bodies = plans.flatMap(({ places, choice }) => requestsFor(places.map((place) => this.page.crops[place]), choice, context));
    this.steps.add(bodies);
    this.selection.none();
    this.others = new Map();
  }

  hint() {
    if (this.isExceptions && !this.predicted) return "Choose the predicted class first: “exceptions” confirms a page of one class.";
    if (this.isExceptions) return "Nothing is left to confirm on this page.";
    if (!this.selection.size) return "Select crops first: click, shift-click, drag, or Space.";
    if (!this.choice) return "Choose a class first: press its key or its button.";
    return "All selected crops were answered by themselves, in the reading room: those answers stand.";
  }

  /** The server's word on a request: the page shows what stands now. */
  took({ kind, body }, { results }) {
    const crops = new Map(this.page.crops.map((crop) => [crop.id, crop]));
    for (const { crop: id, outcome, annotation } of results) {
      const crop = crops.get(id);
      if (!crop || outcome !== "saved") continue;
      const isUndo = kind === "undo";
      crop.answer = isUndo ? null : { kind: body.answer, label: body.classes[0] ?? null, number: annotation, is_bulk: true };
    }
    const saved = results.filter(({ outcome }) => outcome === "saved").length;
    if (kind === "undo") this.say(`Taken back: ${counted(saved, "answer")}.`);
    else this.say(stepWords(results), saved === results.length ? "quiet" : "warn");
    document.getElementById("main").dataset.answered = String(this.page.crops.filter(({ answer }) => answer).length);
    this.changed();
  }

  undo() {
    if (!this.steps.undo()) this.say(this.steps.waiting.length ? "The last step is still being saved." : "There is nothing to undo on this page.");
  }

  /** The confirm button says what it would do. */
  refresh() {
    const plans = this.plan();
    const number = plans.reduce((sum, { places }) => sum + places.length, 0);
    const what = plans.length === 1 ? ` as ${answerName(plans[0].choice, this.names)}` : "";
    const verb = this.isExceptions ? "Confirm" : "Answer";
    this.find("confirm-text").textContent = number ? `${verb} ${counted(number)}${what}` : verb;
    this.find("confirm").setAttribute("aria-disabled", String(!number));
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(!this.isExceptions && this.choice?.classes[0] === button.dataset.class));
    for (const [id, answer] of [["not-sure", "not_sure"], ["bad-crop", "bad_crop"]]) {
      this.find(id).setAttribute("aria-pressed", String(!this.isExceptions && this.choice?.answer === answer));
    }
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
