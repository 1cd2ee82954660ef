/* Talking to the server. Every failure says what kind it is, because each kind wants something else done. */

/** kind: "offline" (no reply), "auth" (logged out), "refused" (the server said no), "server" (it broke). */
export class ApiError extends Error {
  constructor(kind, message, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
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

export function kindOf(response) {
  if (response.status === 401 || response.status === 403) return "auth";
  if (response.redirected && !(response.headers.get("content-type") ?? "").includes("json")) return "auth";
  return response.status >= 500 || response.status === 429 || response.status === 408 ? "server" : "refused";
}

async function call(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new ApiError("offline", "the server cannot be reached");
  }
  if (response.ok && !response.redirected) return response;
  const body = await response.json().catch(() => null);
  throw new ApiError(kindOf(response), detailOf(body, response.status), response.status);
}

export async function getJson(url) {
  return (await call(url, { headers: { Accept: "application/json" } })).json();
}

export async function postJson(url, body, token) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  headers["X-CSRFToken"] = csrfToken(document.cookie, token);
  return (await call(url, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** {buffer, headers} of raw pixels. */
export async function getBytes(url) {
  const response = await call(url, {});
  return { buffer: await response.arrayBuffer(), headers: response.headers };
}
