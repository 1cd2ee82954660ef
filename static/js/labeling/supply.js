/* What is read next: the newest offer of the server, and a stock for when no reply comes. Knows no page. */
import { History } from "./history.js";
import { Pause } from "./pause.js";
import { mergeQueue, provisions, wantedImages } from "./queue.js";

export const REFILL_BELOW = 6;
// Two minutes without a line, at an answer every two seconds.
const STOCK = 60;
export const RESTOCK_BELOW = 50;
const BATCH = 12;
const STOCK_BYTES = 64 * 2 ** 20;
// A lease runs for five minutes and is prolonged by every request for crops.
const HOLD_MS = 120_000;
// Every picture of a study whose originals are away is not found.
const DOUBT_MS = 10_000;

export class Supply {
  /**
   * api: {next(count), undo(body), ranking(), pause(isOn), leave()}; outbox, pool, pantry and attention as in
   * ../shared, the pantry a pool of raw pixels; events: shown(crop, before), changed(), told(text), answered(crop),
   * noticed(text, topic) for what has to stay on the page.
   */
  constructor({ config, api, outbox, pool, pantry, attention, events, now = () => new Date(), newId = () => crypto.randomUUID() }) {
    Object.assign(this, { config, api, outbox, pool, pantry, attention, events, now, newId });
    this.current = null;
    this.queue = []; // What the newest reply offered.
    this.stock = []; // What comes after that.
    this.isStocked = false;
    this.history = new History();
    this.answered = []; // Ids in the order of answering; a slow reply may still offer them.
    this.progress = config.progress;
    this.guideline = config.guideline ?? null; // The version that the reader has before them.
    this.newestGuideline = this.guideline;
    this.sitting = {}; // How the server serves this reader: {stay_on, left, …}.
    this.pausing = new Pause({ tell: (isOn) => api.pause(isOn), refused: (isOn) => isOn && api.leave() });
    this.askedAt = this.now();
    this.doubtedAt = -Infinity;
    this.ranking = null;
    this.ended = false;
    this.isOut = false; // The reader is no member of the study any more.
    this.problem = null;
    this.refilling = null;
  }

  /** Whether the reader pauses; what a reply says of it may be older than their wish. */
  get paused() {
    return this.pausing.isOn;
  }

  /** Ids of crops whose answers the server may not know yet. */
  unsent() {
    const crops = this.outbox.items.filter(({ kind }) => kind !== "undo").map(({ body }) => body.crop);
    return new Set(crops);
  }

  /** Every crop in reach: on screen, next, and answered in this sitting. */
  known() {
    return [this.current, ...this.queue, ...this.stock, ...this.history.entries.map(({ crop }) => crop)].filter(Boolean);
  }

  /** Takes over a reply: order of crops, ranking, progress. `before`: ids answered around the time of asking. */
  absorb(reply, before = new Set()) {
    const state = reply.next ?? reply;
    this.isOut = false;
    if (state.crops) this.take(state.crops, new Set([...before, ...this.unsent(), ...(this.current ? [this.current.id] : [])]));
    if (state.progress) this.progress = state.progress;
    if (state.ranking !== undefined) this.ranking = state.ranking;
    if (state.sitting) this.sitting = state.sitting;
    if (state.guideline !== undefined) this.follow(state.guideline);
    if (!this.current && this.queue.length) this.advance();
    else this.prefetch();
    this.events.changed();
  }

  take(crops, exclude) {
    this.queue = mergeQueue(this.queue, crops.slice(0, BATCH), { exclude });
    if (crops.length > BATCH) this.stock = crops.slice(BATCH).filter(({ id }) => !exclude.has(id));
    // All that is open was offered: what is in stock is read by somebody else.
    if (crops.length < BATCH) this.stock = [];
    const here = new Set(this.queue.map(({ id }) => id));
    this.stock = this.stock.filter(({ id }) => !here.has(id) && !exclude.has(id));
  }

  follow(guideline) {
    if (guideline === this.newestGuideline) return;
    this.newestGuideline = guideline;
    if (guideline === this.guideline) return;
    this.events.noticed("The guidelines have changed: press g to see what is new.", "guidelines");
  }

  /** Asks for crops; not in a pause, which would set some aside. */
  async refill() {
    if (this.paused) return;
    this.refilling ??= this.fetchNext().finally(() => {
      this.refilling = null;
    });
    await this.refilling;
  }

  /** The reader wants to be served otherwise: what was fetched ahead goes, the crop on screen stays. */
  async sitDown(sitting) {
    // A reply that is on its way would bring the old order back.
    await this.refilling;
    Object.assign(this, { sitting, queue: [], stock: [], isStocked: false });
    await this.refill();
  }

  async fetchNext() {
    const before = this.unsent();
    const asked = this.answered.length;
    const { turns, isKnown } = this.pausing;
    this.askedAt = this.now();
    const count = this.stock.length < RESTOCK_BELOW - BATCH ? STOCK : BATCH;
    try {
      const reply = await this.api.next(count);
      this.problem = null;
      this.isStocked = reply.crops.length < count;
      // Only what was asked after the reader's own last word on it can tell of a pause on another page.
      if (reply.sitting?.paused && isKnown && turns === this.pausing.turns) this.rest();
      this.absorb(reply, new Set([...before, ...this.answered.slice(asked)]));
      this.ended = !this.current && !this.queue.length && !this.outbox.waiting;
    } catch (error) {
      this.problem = error;
      if (error.kind === "stranger") this.shutOut(error);
    }
    this.events.changed();
  }

  /** What the reader says now would reach nobody: no crop is on screen until the server takes their answers again. */
  shutOut(problem) {
    this.problem = problem;
    if (this.isOut) return;
    this.isOut = true;
    this.clear();
    this.events.changed();
  }

  /** The reader paused on another page of theirs. */
  rest() {
    if (this.paused) return;
    this.pausing.adopt();
    this.clear();
  }

  /** Asks again during a long look, so that the crop stays theirs; not for who has left the page open and gone. */
  hold() {
    const isLong = this.now() - this.askedAt >= HOLD_MS;
    if (this.current && isLong && this.attention.isHere()) this.refill();
  }

  /** What the ranking says of itself now, without asking for crops; a failure leaves what is known. */
  async lookAtRanking() {
    const answered = this.answered.length;
    try {
      const ranking = await this.api.ranking();
      // An answer that was given meanwhile brings its own news.
      if (answered === this.answered.length) this.ranking = ranking;
      this.events.changed();
    } catch (error) {
      // Of anything else the next answer tells.
      if (error.kind === "stranger") this.shutOut(error);
    }
  }

  /** Something is not found: asks whether the reader is a member still. */
  async doubt() {
    if (this.isOut || this.now() - this.doubtedAt < DOUBT_MS) return;
    this.doubtedAt = this.now();
    await this.lookAtRanking();
  }

  prefetch() {
    this.pool.want(wantedImages(this.current, [...this.queue, ...this.stock], this.history.entries));
    this.pantry.want(provisions([...(this.current ? [this.current] : []), ...this.queue, ...this.stock], STOCK_BYTES));
  }
}
