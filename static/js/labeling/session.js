/* One sitting in the reading room: the crop on screen, what comes next, what was answered. Knows no page. */
import { mergeQueue, wantedImages } from "./queue.js";

const REFILL_BELOW = 6;
const BATCH = 12;

export class Session {
  /**
   * api: {next(count), undo(body), ranking()}; outbox and pool as in ../shared; events: shown(crop), changed(), told(text).
   */
  constructor({ config, api, outbox, pool, events, now = () => new Date(), newId = () => crypto.randomUUID() }) {
    Object.assign(this, { config, api, outbox, pool, events, now, newId });
    this.current = null;
    this.queue = [];
    this.history = [];
    this.answered = []; // Ids in the order of answering; a slow reply may still offer them.
    this.progress = config.progress;
    this.ranking = null;
    this.shownAt = null;
    this.note = "";
    this.ended = false;
    this.problem = null;
    this.refilling = null;
  }

  /** Ids of crops whose answers the server may not know yet. */
  unsent() {
    const crops = this.outbox.items.filter(({ kind }) => kind === "answer").map(({ body }) => body.crop);
    return new Set(crops);
  }

  /** Every crop in reach: on screen, next, and answered in this sitting. */
  known() {
    return [this.current, ...this.queue, ...this.history.map(({ crop }) => crop)].filter(Boolean);
  }

  /** Takes over a reply: order of crops, ranking, progress. `before`: ids answered around the time of asking. */
  absorb(reply, before = new Set()) {
    const crops = reply.crops ?? reply.next?.crops;
    if (crops) {
      const exclude = new Set([...before, ...this.unsent()]);
      if (this.current) exclude.add(this.current.id);
      this.queue = mergeQueue(this.queue, crops, { exclude });
    }
    if (reply.progress) this.progress = reply.progress;
    if (reply.ranking !== undefined) this.ranking = reply.ranking;
    if (!this.current && this.queue.length) this.advance();
    else this.prefetch();
    this.events.changed();
  }

  refill() {
    this.refilling ??= this.fetchNext().finally(() => {
      this.refilling = null;
    });
    return this.refilling;
  }

  async fetchNext() {
    const before = this.unsent();
    const asked = this.answered.length;
    try {
      const reply = await this.api.next(BATCH);
      this.problem = null;
      this.absorb(reply, new Set([...before, ...this.answered.slice(asked)]));
      this.ended = !this.current && !this.queue.length && !this.outbox.waiting;
    } catch (error) {
      this.problem = error;
    }
    this.events.changed();
  }

  /** What the ranking says of itself now, without asking for crops; a failure leaves what is known. */
  async lookAtRanking() {
    const answered = this.answered.length;
    try {
      const ranking = await this.api.ranking();
      // An answer that was given meanwhile brings its own news.
      if (answered === this.answered.length) this.ranking = ranking;
      this.events.changed();
    } catch {
      // The next answer tells whether the server can be reached.
    }
  }

  prefetch() {
    this.pool.want(wantedImages(this.current, this.queue, this.history));
  }

  advance() {
    this.current = this.queue.shift() ?? null;
    this.shownAt = null;
    this.note = "";
    this.prefetch();
    this.events.shown(this.current);
    if (this.queue.length < REFILL_BELOW) this.refill();
  }

  /** The crop is on screen: from now on it can be answered. */
  markShown() {
    this.shownAt ??= this.now();
  }

  /** Saves the answer and shows the next crop at once; false when there is nothing to answer yet. */
  answer(answer, classes, window) {
    const crop = this.current;
    const unreadable = crop && this.pool.problem(crop.pixels);
    if (!crop || (!this.shownAt && !(unreadable && answer === "bad_crop"))) return false;
    const id = this.newId();
    const answeredAt = this.now();
    const body = {
      client_id: id, crop: crop.id, answer, classes, window, reason: this.note, source: "room",
      shown_at: (this.shownAt ?? answeredAt).toISOString(), answered_at: answeredAt.toISOString(),
      ranking: this.ranking?.digest ?? "",
    };
    this.history.push({ crop, answer, classes, id });
    this.answered.push(crop.id);
    this.outbox.add({ id, kind: "answer", url: this.config.urls.answers, body });
    this.advance();
    return true;
  }

  /** Takes the last answer back and shows its crop again. */
  async undo() {
    const last = this.history.pop();
    if (!last) return this.undoOnServer();
    if (this.current) this.queue.unshift(this.current);
    this.current = last.crop;
    this.shownAt = null;
    this.ended = false;
    this.prefetch();
    this.events.shown(this.current, last);
    if (!this.outbox.cancel(last.id)) {
      const id = this.newId();
      this.outbox.add({ id, kind: "undo", url: this.config.urls.undo, body: { client_id: id, answer: last.id } });
    }
    this.events.changed();
    return last;
  }

  /** The server did not take an answer: it must not be undone either, that would take back an older one. */
  refused({ id }) {
    this.history = this.history.filter((past) => past.id !== id);
    const undo = this.outbox.items.find(({ kind, body }) => kind === "undo" && body.answer === id);
    if (undo) this.outbox.cancel(undo.id);
  }

  /** Before this page was loaded there may be answers too; the server knows them. */
  async undoOnServer() {
    try {
      const reply = await this.api.undo({ client_id: this.newId() });
      if (this.current) this.queue.unshift(this.current);
      this.current = null;
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
}
