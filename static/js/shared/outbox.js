/* Answers on their way to the server: kept until the server has them, sent in order, sent again after a failure. */

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

/** Milliseconds before the next try after this many failures in a row. */
export function waitAfter(failures) {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
}

/**
 * send(item) resolves with the reply or throws an ApiError. store: {load(), save(item), remove(id)}.
 * An item is {id, url, body, at}. Events: changed(), saved(item, reply), refused(item, error).
 */
export class Outbox {
  constructor({ send, store, now = Date.now, setTimer = (job, ms) => setTimeout(job, ms), changed, saved, refused }) {
    Object.assign(this, { send, store, now, setTimer, changed, saved, refused });
    this.items = store.load().sort((a, b) => a.at - b.at);
    this.touched = new Set(this.items.map(({ id }) => id)); // An earlier page may have sent these already.
    this.failures = 0;
    this.trouble = null;
    this.savedAt = null;
    this.sending = false;
    this.retryAt = null;
  }

  get waiting() {
    return this.items.length;
  }

  add(item) {
    const last = this.items.at(-1)?.at ?? 0;
    const kept = { ...item, at: Math.max(this.now(), last + 1) };
    this.items.push(kept);
    this.store.save(kept);
    this.changed();
    return this.flush();
  }

  /** Takes an item back; false when it may have reached the server, so that it must be undone there. */
  cancel(id) {
    if (this.touched.has(id) || !this.items.some((item) => item.id === id)) return false;
    this.drop(id);
    this.changed();
    return true;
  }

  /** Sends what waits, one after another; called again at any time without harm. */
  async flush({ force = false } = {}) {
    if (this.sending || (!force && this.retryAt !== null)) return;
    this.sending = true;
    this.retryAt = null;
    try {
      while (this.items.length && (await this.sendFirst()));
    } finally {
      this.sending = false;
      this.changed();
    }
  }

  async sendFirst() {
    const [item] = this.items;
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
    if (error.kind === "refused") {
      this.drop(item.id);
      this.refused(item, error);
      return true;
    }
    this.failures += 1;
    this.trouble = error.kind ?? "server";
    const wait = waitAfter(this.failures);
    this.retryAt = this.now() + wait;
    this.setTimer(() => this.flush({ force: true }), wait);
    return false;
  }

  drop(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.touched.delete(id);
    this.store.remove(id);
  }
}
