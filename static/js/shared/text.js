/* Numbers and times in words. */

/** 98212 -> "98,212". */
export function count(number) {
  return Number(number ?? 0).toLocaleString("en-US");
}

/** How long ago: "4 s", "3 min", "2 h", "5 days". */
export function age(then, now) {
  const seconds = Math.max(0, Math.round((now - new Date(then).getTime()) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** Time of day in 24 hours: "12:03:07". */
export function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB", { hour12: false });
}

/** Day and time of day: "3 Mar 2025, 12:03:07". */
export function moment(time) {
  const day = new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  return `${day}, ${clock(time)}`;
}

/** Four figures at most, without exponents for everyday values: 0.1234, 12.3, 4500. */
export function short(value) {
  if (!Number.isFinite(value)) return "";
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
