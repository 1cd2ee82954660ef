/* Answers to many crops at once: cut into requests, handed to the outbox, and taken back. Knows no page. */

const MOST_AT_ONCE = 500;

/** Whether the user may answer this crop in the grid: not yet answered, or answered in a grid before. */
export function isOpen({ answer }) {
  return !answer || answer.is_bulk;
}

/**
 * Requests that give one answer to these crops, at most 500 each, one window per request.
 * choice: {answer, classes}; context: {ranking, displays, opinions, annotator, newId, now}.
 */
export function requestsFor(crops, choice, { ranking, displays, opinions, annotator, newId, now }) {
  const groups = new Map();
  for (const crop of crops.filter(isOpen)) {
    const own = groups.get(crop.display) ?? [];
    groups.set(crop.display, [...own, crop]);
  }
  const requests = [];
  for (const [display, own] of groups) {
    for (const part of parts(own)) {
      const shared = { ...choice, window: windowOf(displays[display]), ranking, annotator };
      requests.push({ ...shared, answered_at: now().toISOString(), items: part.map(item) });
    }
  }
  return requests;

  function item(crop) {
    const confirms = opinions && choice.answer === "label" && crop.predicted === choice.classes[0];
    return { client_id: newId(), crop: crop.id, standing: crop.answer?.number ?? null, suggested_by: confirms ? ranking : "" };
  }
}

function parts(list) {
  return Array.from({ length: Math.ceil(list.length / MOST_AT_ONCE) }, (_, at) => list.slice(at * MOST_AT_ONCE, (at + 1) * MOST_AT_ONCE));
}

function windowOf({ channels }) {
  return channels.map(({ low, high, on = true }) => ({ low, high, on }));
}

/** What this page gave, step by step. The outbox sends it in order and keeps it; what comes back is told to `saved`. */
export class Steps {
  /** urls: {bulk, undo}; annotator: the number of the person; newId(). */
  constructor({ outbox, urls, annotator, newId }) {
    Object.assign(this, { outbox, urls, annotator, newId });
    this.past = [];
  }

  /** How many answers, and answers taken back, wait. */
  get unsent() {
    return this.outbox.items.reduce((sum, { body }) => sum + body.items.length, 0);
  }

  /** What waits for each crop: crop -> {answer, classes}; an answer that is taken back has neither. */
  waiting() {
    const found = new Map();
    for (const { kind, body, crops } of this.outbox.items) {
      if (kind === "bulk") for (const { crop } of body.items) found.set(crop, body);
      else for (const crop of crops ?? []) found.set(crop, {});
    }
    return found;
  }

  /** One step of the user's: all of its requests are taken back together. */
  add(bodies) {
    if (!bodies.length) return;
    // Until the server has said which items stand, any of them may.
    const requests = bodies.map((body) => ({ id: this.newId(), body, standing: body.items }));
    this.past.push(requests);
    for (const { id, body } of requests) this.outbox.add({ id, kind: "bulk", url: this.urls.bulk, body });
  }

  /** Takes the last step back. How many of its answers had never left, or null where there is no step. */
  undo() {
    const requests = this.past.pop();
    if (!requests) return null;
    const dropped = requests.filter(({ id }) => this.outbox.cancel(id));
    const sent = requests.filter((request) => !dropped.includes(request)).flatMap(({ standing }) => standing);
    for (const part of parts(sent)) {
      const items = part.map((given) => ({ client_id: this.newId(), answer: given.client_id }));
      const body = { items, annotator: this.annotator };
      this.outbox.add({ id: this.newId(), kind: "bulk-undo", url: this.urls.undo, body, crops: part.map(({ crop }) => crop) });
    }
    return dropped.reduce((sum, { body }) => sum + body.items.length, 0);
  }

  /** The server's word on a request: what it did not store need not be taken back. */
  saved({ id }, { results }) {
    const stored = new Set(results.filter(({ outcome }) => outcome === "saved").map((row) => row.client_id));
    this.keep(id, (item) => stored.has(item.client_id));
  }

  refused({ id }) {
    this.keep(id, () => false);
  }

  keep(id, test) {
    const request = this.past.flat().find((one) => one.id === id);
    if (request) request.standing = request.standing.filter(test);
  }
}
