/* Two answers of one person to one crop, given in two places: they choose. */
import { moment } from "../shared/text.js";
import { answerName } from "./status.js";

// It opens under fingers that answer: what they had begun decides nothing.
const DEAF_MS = 500;

export class ConflictSheet {
  /** load(crop) resolves with the pixels of a crop that is not in memory. */
  constructor({ find, session, paint, load, names }) {
    Object.assign(this, { find, session, paint, load, names, waiting: [], shown: null });
    this.dialog = find("conflict-dialog");
    this.choices = [find("conflict-mine"), find("conflict-standing")];
    this.choices.forEach((button, place) => button.addEventListener("click", () => this.decide(place === 0)));
    // Nothing is decided by closing it: it comes again.
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    // Another sheet may have been open when it came.
    document.addEventListener("close", () => this.next(), { capture: true });
  }

  add(item) {
    if (!this.waiting.some(({ id }) => id === item.id)) this.waiting.push(item);
    this.next();
  }

  next() {
    const [item] = this.waiting;
    if (!item || document.querySelector("dialog[open]")) return;
    const { body, standing } = item;
    this.find("conflict-standing-name").textContent = answerName(standing, this.names);
    this.find("conflict-standing-time").textContent = moment(standing.answered_at);
    this.find("conflict-mine-name").textContent = answerName(body, this.names);
    this.find("conflict-mine-time").textContent = moment(body.answered_at);
    this.open();
    this.draw(item);
  }

  open() {
    this.enable(false);
    this.dialog.showModal();
    this.find("conflict-title").focus();
    setTimeout(() => this.enable(true), DEAF_MS);
  }

  enable(isOn) {
    for (const button of this.choices) button.disabled = !isOn;
  }

  /** The crop as this page or the answer itself knows it; its pixels are fetched where they are not here. */
  async draw(item) {
    const crop = this.session.known().find(({ id }) => id === item.body.crop) ?? item.crop;
    const canvas = this.find("conflict-canvas");
    this.shown = item;
    canvas.hidden = true;
    try {
      const image = crop && (this.session.pool.get(crop.pixels) ?? (await this.load(crop)));
      if (!image || this.shown !== item) return;
      this.paint(canvas, crop, image);
      canvas.hidden = false;
    } catch {
      // Both answers can be told apart without the picture.
    }
  }

  decide(mine) {
    const item = this.waiting.shift();
    this.dialog.close();
    if (item) this.session.decide(item, mine);
    this.next();
  }
}
