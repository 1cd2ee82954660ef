/* Other tabs of the same person: who is open, and what they answered. Both are comforts: without them nothing is lost. */

/** A name for this page that others see as long as it is open, and `living()`: the names of all open pages. */
export function announce(name, locks = globalThis.navigator?.locks) {
  // The lock is never given back: it ends with the page.
  locks?.request(name, () => new Promise(() => {})).catch(() => {});
  return async () => new Set(locks ? (await locks.query()).held.map((lock) => lock.name) : []);
}

/** {tell(message)}; heard(message) is called with what other tabs tell. */
export function openChannel(name, heard, Channel = globalThis.BroadcastChannel) {
  if (!Channel) return { tell: () => {} };
  const channel = new Channel(name);
  channel.onmessage = ({ data }) => heard(data);
  return { tell: (message) => channel.postMessage(message) };
}
