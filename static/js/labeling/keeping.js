/* Keeps how a person likes to look: in this browser at once, and with their account where the server offers it. */
import { csrfToken } from "../shared/api.js";

const QUIET_MS = 1500;

export class Keeping {
  /** user: their number; url of the preferences, or empty; storage as localStorage, or null where there is none. */
  constructor({ user, url = "", token = "", storage = safeStorage(), fetcher = (...args) => fetch(...args) }) {
    Object.assign(this, { url, token, storage, fetcher });
    this.name = `parfocal.view.${user}`;
    this.timer = null;
  }

  /** What this browser keeps, or null. */
  local() {
    try {
      return JSON.parse(this.storage?.getItem(this.name) ?? "null");
    } catch {
      return null;
    }
  }

  /** What the account keeps, when that is newer than what this browser has; else null. */
  async newer() {
    if (!this.url) return null;
    try {
      const reply = await this.fetcher(this.url, { credentials: "same-origin", headers: { Accept: "application/json" } });
      const kept = reply.ok ? (await reply.json()).view?.windows : null;
      return kept && (kept.at ?? 0) > (this.local()?.at ?? 0) ? kept : null;
    } catch {
      return null;
    }
  }

  /** Keeps it here now, and with the account once nothing has changed for a while. */
  keep(plain, now = Date.now()) {
    const kept = { ...plain, at: now };
    try {
      this.storage?.setItem(this.name, JSON.stringify(kept));
    } catch {
      // A full storage costs the memory of a window, nothing else.
    }
    clearTimeout(this.timer);
    if (this.url) this.timer = setTimeout(() => this.send(kept), QUIET_MS);
  }

  async send(windows) {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken(document.cookie, this.token) };
    const body = JSON.stringify({ view: { windows } });
    await this.fetcher(this.url, { method: "PATCH", credentials: "same-origin", headers, body }).catch(() => {});
  }
}

function safeStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
