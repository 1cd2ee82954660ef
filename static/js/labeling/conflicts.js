/* Two answers of one person to one crop, given in two places: they choose. */
import { clock } from "../shared/text.js";
import { answerName } from "./status.js";

export class ConflictSheet {
  constructor({ find, session, paint, names }) {
    Object.assign(this, { find, session, paint, names, waiting: [] });
    this.dialog = find("conflict-dialog");
    find("conflict-mine").addEventListener("click", () => this.decide(true));
    find("conflict-standing").addEventListener("click", () => this.decide(false));
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
    this.find("conflict-standing-time").textContent = clock(standing.answered_at);
    this.find("conflict-mine-name").textContent = answerName(body, this.names);
    this.find("conflict-mine-time").textContent = clock(body.answered_at);
    this.draw(body.crop);
    this.dialog.showModal();
  }

  draw(id) {
    const crop = this.session.known().find((one) => one.id === id);
    const image = crop && this.session.pool.get(crop.pixels);
    this.find("conflict-canvas").hidden = !image;
    if (image) this.paint(this.find("conflict-canvas"), crop, image);
  }

  decide(mine) {
    const item = this.waiting.shift();
    this.dialog.close();
    if (item) this.session.decide(item, mine);
    this.next();
  }
}
