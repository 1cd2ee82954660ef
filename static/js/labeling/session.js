/* One sitting in the reading room: the crop on screen and what is said of it. Knows no page. */
import { mayPass } from "../shared/api.js";
import { count } from "../shared/text.js";
import { REFILL_BELOW, RESTOCK_BELOW, Supply } from "./supply.js";

/** What is needed to draw a crop again, also on a page that does not know it. */
function drawable({ id, key, pixels, shape, dtype, channels, is_rgb }) {
  return { id, key, pixels, shape, dtype, channels, is_rgb };
}

export class Session extends Supply {
  shownAt = null;
  firstKeyAt = null;
  note = "";
  isUndoing = false;
  undoId = null; // Of an undo that the server may have had.
  cameAgain = new Set(); // Crops whose answers were refused: none of them comes again and again.

  /** Who gives the answers; people share computers. */
  get annotator() {
    return this.config.user ?? null;
  }

  /** Shows the next crop; from the stock only where nothing that the server has just offered is left. */
  advance() {
    if (this.paused || this.isOut) return;
    this.show(this.queue.shift() ?? this.stock.shift() ?? null);
    const isLow = this.queue.length < REFILL_BELOW;
    if (isLow || (!this.isStocked && this.queue.length + this.stock.length < RESTOCK_BELOW)) this.refill();
  }

  show(crop, before = null) {
    Object.assign(this, { current: crop, shownAt: null, firstKeyAt: null, note: "" });
    this.prefetch();
    this.events.shown(crop, before);
  }

  /** The crop is on screen: from now on it can be answered. */
  markShown() {
    if (this.shownAt) return;
    this.shownAt = this.now();
    this.attention.start();
  }

  /** A key or a finger went down. */
  markKey() {
    if (this.shownAt) this.firstKeyAt ??= this.now();
  }

  /** Saves the answer and shows the next crop at once; false when there is nothing to answer yet. */
  answer(answer, classes, window, suggestedBy = "") {
    const crop = this.current;
    if (!crop || this.isBusy() || (!this.shownAt && !(answer === "bad_crop" && this.isUnreadable(crop)))) return false;
    const id = this.newId();
    const body = { ...this.timing(), client_id: id, crop: crop.id, answer, classes, window, reason: this.note };
    Object.assign(body, { ranking: this.ranking?.digest ?? "", suggested_by: suggestedBy, replaces: this.history.replaced() });
    this.history.add({ crop, answer, classes, id, body });
    this.answered.push(crop.id);
    this.outbox.add({ id, kind: "answer", url: this.config.urls.answers, body, crop: drawable(crop) });
    this.events.answered(crop);
    this.advance();
    return true;
  }

  /** Whether the pixels cannot be shown at all: a broken line is no fault of the crop. */
  isUnreadable(crop) {
    const problem = this.pool.problem(crop.pixels);
    return Boolean(problem) && !mayPass(problem);
  }

  /** Whether the server is taking the newest answer back: one that is given meanwhile would be the newest. */
  isBusy() {
    if (this.isUndoing) this.events.told("One moment: your last answer is being taken back.");
    return this.isUndoing;
  }

  timing() {
    const answeredAt = this.now();
    const shownAt = this.shownAt ?? answeredAt;
    return {
      source: "room", reason_code: "", guideline: this.guideline, annotator: this.annotator,
      shown_at: shownAt.toISOString(), first_key_at: (this.firstKeyAt ?? answeredAt).toISOString(),
      answered_at: answeredAt.toISOString(), active_ms: this.shownAt ? this.attention.ms() : null,
    };
  }

  /** Adds a reason to an answer that was given: to what waits here, or by an answer that supersedes it. */
  amend(entry, reasonCode) {
    const body = { ...entry.body, reason_code: reasonCode };
    if (!this.outbox.change(entry.id, body)) {
      Object.assign(body, { client_id: this.newId(), replaces: entry.id });
      const crop = drawable(entry.crop);
      this.outbox.add({ id: body.client_id, kind: "edit", url: this.config.urls.answers, body, crop });
      entry.before = { ...entry };
    }
    Object.assign(entry, { id: body.client_id, body });
    this.events.changed();
  }

  /** Puts the crop aside without an answer. */
  skip() {
    const crop = this.current;
    if (!crop || this.history.reviewed || this.isBusy()) return false;
    const id = this.newId();
    const body = { client_id: id, crop: crop.id, annotator: this.annotator };
    this.history.add({ crop, answer: "skipped", classes: [], id });
    this.answered.push(crop.id);
    this.outbox.add({ id, kind: "skip", url: this.config.urls.skip, body, crop: drawable(crop) });
    this.advance();
    return true;
  }

  /** Nothing is asked until the reader goes on; resolves when the server knows, or cannot be reached. */
  pause() {
    const told = this.pausing.set(true);
    this.clear();
    return told;
  }

  /** The crop on screen goes back to the front of the queue. */
  clear() {
    if (this.current && !this.history.reviewed) this.queue.unshift(this.current);
    this.history.leave();
    this.show(null);
  }

  /** On with what the server offers by now; without a line, with what is here. */
  async resume() {
    await this.pausing.set(false);
    // A reply to what was asked in the pause brings nothing.
    await this.refilling;
    await this.refill();
    if (!this.current) this.advance();
  }

  /** Shows the answered crop before, its answer standing; false where there is none. */
  back() {
    const wasForward = !this.history.reviewed;
    const entry = this.history.back();
    if (!entry) return false;
    if (wasForward && this.current) this.queue.unshift(this.current);
    this.show(entry.crop, entry);
    return true;
  }

  /** Back to the next unanswered crop; false where it is on screen already. */
  forward() {
    if (!this.history.reviewed) return false;
    this.history.leave();
    this.advance();
    return true;
  }

  /** Takes the last answer back and shows its crop again. */
  async undo() {
    if (this.isBusy()) return null;
    const wasForward = !this.history.reviewed;
    const last = this.history.pop();
    if (!last) return this.undoOnServer();
    if (this.current && wasForward) this.queue.unshift(this.current);
    this.ended = false;
    this.show(last.crop, last);
    if (last.answer === "skipped") this.outbox.cancel(last.id);
    else this.takeBack(last.id, last.crop);
    this.events.changed();
    return last;
  }

  /** What never left is dropped; what an edit was to replace goes with it, or it would stand after all. */
  takeBack(answer, crop) {
    const replaced = this.outbox.items.find((item) => item.id === answer)?.body.replaces;
    if (this.outbox.cancel(answer)) return replaced && this.takeBack(replaced, crop);
    const id = this.newId();
    const body = { client_id: id, answer, annotator: this.annotator };
    return this.outbox.add({ id, kind: "undo", url: this.config.urls.undo, body, crop: drawable(crop) });
  }

  /** Before this page was loaded there may be answers too; the server knows them, once it has all of this page. */
  async undoOnServer() {
    this.isUndoing = true;
    try {
      await this.outbox.flush({ force: true });
      const { waiting } = this.outbox;
      if (waiting) this.events.noticed(`Not undone: ${count(waiting)} of your answers did not reach the server yet.`, "undo");
      else this.undone(await this.api.undo({ client_id: (this.undoId ??= this.newId()), annotator: this.annotator }));
    } catch (error) {
      this.notUndone(error);
    } finally {
      this.isUndoing = false;
    }
    this.events.changed();
    return null;
  }

  undone({ crop, progress }) {
    this.undoId = null;
    if (this.current) this.queue.unshift(this.current);
    this.queue = [crop, ...this.queue.filter(({ id }) => id !== crop.id)];
    this.progress = progress ?? this.progress;
    this.ended = false;
    this.advance();
  }

  /** Where no reply came it may have been done: the same wish, sent again, is done once. */
  notUndone(error) {
    if (!mayPass(error)) this.undoId = null;
    if (error.kind === "refused") this.events.told("There is nothing to undo.");
    else this.events.noticed(`Not undone: ${error.message}. Try again.`, "undo");
  }

  /** The server did not take an item. Returns {crop, comesAgain}: whose it was, and whether it is asked again. */
  refused({ id, kind, body, crop }) {
    const entry = this.history.unmake(id);
    const isUndone = this.relink(id, body?.replaces ?? null);
    const isOpen = entry && !isUndone && ["answer", "edit"].includes(kind) && !body.replaces;
    const comesAgain = Boolean(isOpen) && !this.cameAgain.has(entry.crop.id);
    if (comesAgain) {
      this.cameAgain.add(entry.crop.id);
      this.queue.unshift(entry.crop);
    }
    if (!this.current && this.queue.length) this.advance();
    return { crop: entry?.crop ?? crop ?? null, comesAgain };
  }

  /** What was to follow a refused answer follows the one before it; whether an undo waited for it. */
  relink(refused, before) {
    const undo = this.outbox.items.find((item) => item.kind === "undo" && item.body.answer === refused);
    // Undoing what was never stored would take back an older answer.
    if (undo && !before) this.outbox.drop(undo.id);
    else if (undo) this.outbox.rewrite(undo.id, { ...undo.body, answer: before });
    const later = this.outbox.items.filter((item) => item.body.replaces === refused);
    for (const item of later) this.outbox.rewrite(item.id, { ...item.body, replaces: before });
    return Boolean(undo);
  }

  /** Brings a crop of this page back on screen, its answer standing where it has one. */
  showAgain(crop) {
    if (this.paused || this.isOut || this.isBusy() || this.current?.id === crop.id) return;
    if (this.current && !this.history.reviewed) this.queue.unshift(this.current);
    this.queue = this.queue.filter(({ id }) => id !== crop.id);
    this.stock = this.stock.filter(({ id }) => id !== crop.id);
    this.ended = false;
    this.show(crop, this.history.goTo(crop.id));
  }

  /** The same person answered the crop on another page. */
  elsewhere(crop) {
    this.answered.push(crop);
    this.queue = this.queue.filter(({ id }) => id !== crop);
    this.stock = this.stock.filter(({ id }) => id !== crop);
    if (this.current?.id !== crop || this.history.reviewed) return;
    this.events.told("You answered that crop in another tab.");
    this.advance();
  }

  /** A person chose between two answers of theirs: `mine` sends the disputed one again, in place of the other. */
  decide(item, mine) {
    const entry = this.history.find(item.id);
    this.outbox.drop(item.id);
    const { standing } = item;
    if (!mine) {
      if (entry) Object.assign(entry, { id: standing.client_id, answer: standing.answer, classes: standing.classes });
      return this.events.changed();
    }
    const body = { ...item.body, client_id: this.newId(), replaces: standing.client_id };
    if (entry) Object.assign(entry, { id: body.client_id, body });
    this.outbox.add({ id: body.client_id, kind: "edit", url: item.url, body, crop: item.crop });
    return this.events.changed();
  }
}
