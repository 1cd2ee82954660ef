/* Answers to many crops at once: cut into requests, sent until the server has them, and taken back. Knows no page. */
import { waitAfter } from "../../shared/outbox.js";

const MOST_AT_ONCE = 500;

/** Whether the user may answer this crop in the grid: not yet answered, or answered in a grid before. */
export function isOpen({ answer }) {
  return !answer || answer.is_bulk;
}

/**
 * Requests that give one answer to these crops, at most 500 each, one window per request.
 * choice: {answer, classes}; context: {ranking, displays, opinions, newId, now}.
 */
export function requestsFor(crops, choice, { ranking, displays, opinions, newId, now }) {
  const groups = new Map();
  for (const crop of crops.filter(isOpen)) {
    const own = groups.get(crop.display) ?? [];
    groups.set(crop.display, [...own, crop]);
  }
  const requests = [];
  for (const [display, own] of groups) {
    for (let start = 0; start < own.length; start += MOST_AT_ONCE) {
      const part = own.slice(start, start + MOST_AT_ONCE);
      requests.push({ ...choice, window: windowOf(displays[display]), ranking, answered_at: now().toISOString(), items: part.map(item) });
    }
  }
  return requests;

  function item(crop) {
    const confirms = opinions && choice.answer === "label" && crop.predicted === choice.classes[0];
    return { client_id: newId(), crop: crop.id, standing: crop.answer?.number ?? null, suggested_by: confirms ? ranking : "" };
  }
}

function windowOf({ channels }) {
  return channels.map(({ low, high, on = true }) => ({ low, high, on }));
}

/** Sends requests one after another; what fails for a while is sent again, and every step can be taken back. */
export class Steps {
  /** post(kind, body) resolves with the reply or throws an ApiError; events: changed(), done(request, reply), refused(request, error). */
  constructor({ post, events, newId, setTimer = (job, ms) => setTimeout(job, ms) }) {
    Object.assign(this, { post, events, newId, setTimer });
    this.waiting = [];
    this.past = [];
    this.failures = 0;
    this.trouble = null;
    this.sending = false;
    this.savedAt = null;
  }

  get unsent() {
    return this.waiting.reduce((sum, { body }) => sum + body.items.length, 0);
  }

  /** One step of the user's: all of its requests are taken back together. */
  add(bodies) {
    if (!bodies.length) return null;
    const step = { saved: [] };
    this.past.push(step);
    for (const body of bodies) this.waiting.push({ kind: "bulk", body, step });
    this.flush();
    return step;
  }

  /** Takes the last step back; false where there is none, or where it has still to arrive. */
  undo() {
    if (this.waiting.length || !this.past.length) return false;
    const step = this.past.pop();
    for (let start = 0; start < step.saved.length; start += MOST_AT_ONCE) {
      const part = step.saved.slice(start, start + MOST_AT_ONCE);
      const items = part.map((answer) => ({ client_id: this.newId(), answer }));
      this.waiting.push({ kind: "undo", body: { items }, step });
    }
    this.flush();
    return true;
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    this.events.changed();
    while (this.waiting.length && (await this.sendFirst()));
    this.sending = false;
    this.events.changed();
  }

  async sendFirst() {
    const [request] = this.waiting;
    try {
      const reply = await this.post(request.kind, request.body);
      this.waiting.shift();
      Object.assign(this, { failures: 0, trouble: null, savedAt: new Date() });
      if (request.kind === "bulk") {
        request.step.saved.push(...reply.results.filter(({ outcome }) => outcome === "saved").map(({ client_id: id }) => id));
      }
      this.events.done(request, reply);
      return true;
    } catch (error) {
      return this.failed(request, error);
    }
  }

  failed(request, error) {
    if (error.kind === "refused" || error.kind === "forbidden") {
      this.waiting.shift();
      this.events.refused(request, error);
      return true;
    }
    this.failures += 1;
    this.trouble = error.kind ?? "server";
    this.setTimer(() => this.flush(), waitAfter(this.failures));
    return false;
  }
}
