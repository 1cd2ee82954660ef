/* Talking to the server. Every failure says what kind it is, because each kind wants something else done. */

// A line that swallows requests without a word is a broken line.
const PATIENCE_MS = 20000;

/**
 * kind: "offline" (no reply), "auth" (logged out), "refused" (this request is wrong and will stay so), "conflict"
 * (another answer stands: `body.standing`), "forbidden" (not now, or not for this account), "server" (it broke).
 */
export class ApiError extends Error {
  constructor(kind, message, status = 0, body = null) {
    super(message);
    Object.assign(this, { kind, status, body });
  }
}

const PASSING = new Set(["offline", "server", "auth"]);

/** Whether another try may go well: the line, the server or the log-in were at fault, not what was asked for. */
export function mayPass({ kind }) {
  return PASSING.has(kind);
}

/** The newest token: a log-in in another tab changes the cookie. */
export function csrfToken(cookies, fallback) {
  return /(?:^|;\s*)(?:__Host-|__Secure-)?csrftoken=([^;]+)/.exec(cookies)?.[1] ?? fallback;
}

/** First readable sentence of an error reply. */
export function detailOf(body, status) {
  const detail = body?.errors?.[0]?.detail ?? body?.detail;
  return detail ? String(detail) : `the server answered ${status}`;
}

export function kindOf({ status, redirected }, body) {
  const error = body?.errors?.[0];
  const mayNot = error?.code === "permission_denied" && !String(error.detail).startsWith("CSRF");
  if (status === 401 || redirected || (status === 403 && !mayNot)) return "auth";
  if (status === 409 && body?.standing) return "conflict";
  if (status === 400 || status === 409 || status === 422) return "refused";
  return status >= 500 || status === 429 || status === 408 ? "server" : "forbidden";
}

async function call(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch {
    throw new ApiError("offline", "the server cannot be reached");
  }
  if (response.ok && !response.redirected) return response;
  const body = await response.json().catch(() => null);
  throw new ApiError(kindOf(response, body), detailOf(body, response.status), response.status, body);
}

export async function getJson(url) {
  return (await call(url, { headers: { Accept: "application/json" } })).json();
}

export async function postJson(url, body, token, method = "POST") {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  headers["X-CSRFToken"] = csrfToken(document.cookie, token);
  return (await call(url, { method, headers, body: JSON.stringify(body) })).json();
}

/** {buffer, headers} of raw pixels. */
export async function getBytes(url) {
  const response = await call(url, {});
  return { buffer: await response.arrayBuffer(), headers: response.headers };
}

/** A request that outlives the page; nobody waits for its reply. */
export function postBeacon(url, token) {
  const headers = { "X-CSRFToken": csrfToken(document.cookie, token) };
  fetch(url, { method: "POST", headers, credentials: "same-origin", keepalive: true }).catch(() => {});
}
