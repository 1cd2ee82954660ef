/* One sitting in the reading room: the crop on screen and what is said of it. Knows no page. */
import { REFILL_BELOW, RESTOCK_BELOW, Supply } from "./supply.js";

export class Session extends Supply {
  shownAt = null;
  firstKeyAt = null;
  note = "";

  /** Shows the next crop; from the stock only where nothing that the server has just offered is left. */
  advance() {
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
    const unreadable = crop && this.pool.problem(crop.pixels);
    if (!crop || (!this.shownAt && !(unreadable && answer === "bad_crop"))) return false;
    const id = this.newId();
    const body = { ...this.timing(), client_id: id, crop: crop.id, answer, classes, window, reason: this.note };
    Object.assign(body, { ranking: this.ranking?.digest ?? "", suggested_by: suggestedBy, replaces: this.history.replaced() });
    this.history.add({ crop, answer, classes, id, body });
    this.answered.push(crop.id);
    this.outbox.add({ id, kind: "answer", url: this.config.urls.answers, body });
    this.events.answered(crop);
    this.advance();
    return true;
  }

  timing() {
    const answeredAt = this.now();
    const shownAt = this.shownAt ?? answeredAt;
    return {
      source: "room", reason_code: "", guideline: this.guideline, annotator: this.config.user ?? null,
      shown_at: shownAt.toISOString(), first_key_at: (this.firstKeyAt ?? answeredAt).toISOString(),
      answered_at: answeredAt.toISOString(), active_ms: this.shownAt ? this.attention.ms() : null,
    };
  }

  /** Adds a reason to an answer that was given: to what waits here, or by an answer that supersedes it. */
  amend(entry, reasonCode) {
    const body = { ...entry.body, reason_code: reasonCode };
    if (!this.outbox.change(entry.id, body)) {
      Object.assign(body, { client_id: this.newId(), replaces: entry.id });
      this.outbox.add({ id: body.client_id, kind: "edit", url: this.config.urls.answers, body });
    }
    Object.assign(entry, { id: body.client_id, body });
    this.events.changed();
  }

  /** Puts the crop aside without an answer. */
  skip() {
    const crop = this.current;
    if (!crop || this.history.reviewed) return false;
    const id = this.newId();
    this.history.add({ crop, answer: "skipped", classes: [], id });
    this.answered.push(crop.id);
    this.outbox.add({ id, kind: "skip", url: this.config.urls.skip, body: { client_id: id, crop: crop.id } });
    this.advance();
    return true;
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
    const wasForward = !this.history.reviewed;
    const last = this.history.pop();
    if (!last) return this.undoOnServer();
    if (this.current && wasForward) this.queue.unshift(this.current);
    this.ended = false;
    this.show(last.crop, last);
    if (!this.outbox.cancel(last.id) && last.answer !== "skipped") {
      const id = this.newId();
      const body = { client_id: id, answer: last.id, annotator: this.config.user ?? null };
      this.outbox.add({ id, kind: "undo", url: this.config.urls.undo, body });
    }
    this.events.changed();
    return last;
  }

  /** Before this page was loaded there may be answers too; the server knows them. */
  async undoOnServer() {
    try {
      const reply = await this.api.undo({ client_id: this.newId() });
      if (this.current) this.queue.unshift(this.current);
      this.queue.unshift(reply.crop);
      this.progress = reply.progress ?? this.progress;
      this.ended = false;
      this.advance();
    } catch (error) {
      this.events.told(error.kind === "refused" ? "There is nothing to undo." : `Not undone: ${error.message}.`);
    }
    this.events.changed();
    return null;
  }

  /** The server did not take an answer: it must not be undone either, that would take back an older one. */
  refused({ id, kind, body }) {
    const entry = this.history.remove(id);
    const undo = this.outbox.items.find((item) => item.kind === "undo" && item.body.answer === id);
    if (undo) this.outbox.cancel(undo.id);
    // It named a class that is gone: the crop comes again.
    if (entry && !undo && kind === "answer" && body?.classes.length) this.queue.unshift(entry.crop);
    if (!this.current && this.queue.length) this.advance();
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
    this.outbox.add({ id: body.client_id, kind: "edit", url: item.url, body });
    return this.events.changed();
  }
}
