/* Answers on their way to the server: kept until the server has them, sent in order, sent again after a failure. */

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

/** Milliseconds before the next try after this many failures in a row. */
export function waitAfter(failures) {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
}

/**
 * send(item) resolves with the reply or throws an ApiError. store: {load(), save(item), remove(id)}.
 * An item is {id, kind, url, body, at, owner, standing?}; `standing` is another answer that stands in its place: a
 * person has to choose. `owner` is the page that sends it; `living()` resolves with the owners of open pages, or null.
 * Events: changed(), saved(item, reply), refused(item, error), disputed(item).
 */
export class Outbox {
  constructor(options) {
    const timers = { setTimer: (job, ms) => setTimeout(job, ms), clearTimer: (timer) => clearTimeout(timer) };
    const usual = { now: Date.now, owner: "", living: async () => new Set(), disputed: () => {} };
    Object.assign(this, timers, usual, options);
    this.items = [];
    this.begun = false;
    this.touched = new Set(); // May have reached the server.
    this.failures = 0;
    this.trouble = null;
    this.savedAt = null;
    this.flushing = null;
    this.isForced = false;
    this.retryAt = null;
    this.timer = null;
    this.ready = this.adopt();
  }

  get waiting() {
    return this.items.length;
  }

  /** Takes over what pages kept that are no longer open; they may have sent it already. */
  async adopt() {
    const [kept, living] = [await this.store.load(), await this.living().catch(() => null)];
    // Where nobody can tell which pages are open, only a page that begins may take over what it finds.
    if (!living && this.begun) return 0;
    this.begun = true;
    const known = new Set(this.items.map(({ id }) => id));
    const orphans = kept.filter(({ id, owner }) => !known.has(id) && (!owner || (owner !== this.owner && !living?.has(owner))));
    for (const { id } of orphans) this.touched.add(id);
    this.items = [...orphans, ...this.items].sort((a, b) => a.at - b.at);
    if (orphans.length) this.changed();
    for (const item of orphans) if (item.standing) this.disputed(item);
    return orphans.length;
  }

  add(item) {
    const last = this.items.at(-1)?.at ?? 0;
    const kept = { ...item, owner: this.owner, at: Math.max(this.now(), last + 1) };
    this.items.push(kept);
    this.store.save(kept);
    this.changed();
    return this.flush();
  }

  /** Takes an item back; false when it may have reached the server, so that it must be undone there. */
  cancel(id) {
    if (!this.isOnlyHere(id)) return false;
    this.drop(id);
    this.changed();
    return true;
  }

  /** Writes another body into an item; false when it may have reached the server. */
  change(id, body) {
    if (!this.isOnlyHere(id)) return false;
    this.rewrite(id, body);
    return true;
  }

  /** Writes another body into an item, also where an earlier one may have been sent: it must have had no effect. */
  rewrite(id, body) {
    const item = this.items.find((one) => one.id === id);
    item.body = body;
    this.store.save(item);
  }

  isOnlyHere(id) {
    return !this.touched.has(id) && this.items.some((item) => item.id === id);
  }

  /** Sends what waits, one after another, and resolves when nothing more can go; called at any time without harm. */
  flush({ force = false } = {}) {
    this.isForced ||= force;
    this.flushing ??= this.sendAll();
    return this.flushing;
  }

  async sendAll() {
    await this.ready;
    const isDue = this.isForced || this.retryAt === null;
    try {
      if (isDue) await this.sendInOrder();
    } finally {
      // Not in a later turn: what is added by then would wait for a flush that is over.
      Object.assign(this, { flushing: null, isForced: false });
      if (isDue) this.changed();
    }
  }

  async sendInOrder() {
    this.retryAt = null;
    let item;
    while ((item = this.items.find(({ standing }) => !standing)) && (await this.sendOne(item)));
  }

  async sendOne(item) {
    this.touched.add(item.id);
    let reply;
    try {
      reply = await this.send(item);
    } catch (error) {
      return this.failed(item, error);
    }
    this.drop(item.id);
    Object.assign(this, { failures: 0, trouble: null, savedAt: this.now() });
    this.saved(item, reply);
    this.changed();
    return true;
  }

  failed(item, error) {
    if (error.kind === "conflict") {
      item.standing = error.body.standing;
      this.store.save(item);
      this.disputed(item);
      return true;
    }
    if (error.kind === "refused") {
      this.drop(item.id);
      this.refused(item, error);
      return true;
    }
    this.failures += 1;
    this.trouble = error.kind ?? "server";
    const wait = waitAfter(this.failures);
    this.retryAt = this.now() + wait;
    this.clearTimer(this.timer);
    this.timer = this.setTimer(() => this.flush({ force: true }), wait);
    return false;
  }

  drop(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.touched.delete(id);
    this.store.remove(id);
  }
}
