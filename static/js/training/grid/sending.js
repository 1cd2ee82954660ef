/* The grid's answers on their way to the server: kept in the browser like those of the reading room until it has them. */
import { postJson } from "../../shared/api.js";
import { newId } from "../../shared/ids.js";
import { announce } from "../../shared/neighbours.js";
import { Outbox } from "../../shared/outbox.js";
import { createStore } from "../../shared/store.js";

const ADOPT_MS = 15000;

/** The outbox of this person's grid of a study; events: changed(), saved(item, reply), refused(item, error). */
export function gridOutbox({ user, study }, token, events) {
  const owner = `parfocal.page.${newId()}`;
  return new Outbox({
    send: ({ kind, url, body }) => postJson(url, kind === "bulk" ? { ...body, sent_at: new Date().toISOString() } : body, token),
    // Apart from the room's: what answers many crops gets another reply.
    store: createStore(`parfocal.bulk.${user}.${study}.`),
    owner,
    living: announce(owner),
    ...events,
  });
}

/** Sends what waits whenever that may succeed, what a closed page left among it, and warns who leaves before. */
export function keepSending(outbox) {
  window.addEventListener("online", () => outbox.flush({ force: true }));
  window.addEventListener("focus", () => outbox.adopt().then(() => outbox.flush({ force: true })));
  window.addEventListener("beforeunload", (event) => outbox.waiting && event.preventDefault());
  setInterval(() => outbox.adopt().then((found) => found && outbox.flush()), ADOPT_MS);
  outbox.ready.then(() => outbox.flush());
}
