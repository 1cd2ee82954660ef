/* Other tabs of the same person: who is open, and what they answered. Both are comforts: without them nothing is lost. */

/** Gives this page a name that others see while it is open; returns living(): the names of all open pages, or null. */
export function announce(name, locks = globalThis.navigator?.locks) {
  // The lock is never given back: it ends with the page.
  locks?.request(name, () => new Promise(() => {})).catch(() => {});
  return async () => (locks ? new Set((await locks.query()).held.map((lock) => lock.name)) : null);
}

/** {tell(message)}; heard(message) is called with what other tabs tell. */
export function openChannel(name, heard, Channel = globalThis.BroadcastChannel) {
  if (!Channel) return { tell: () => {} };
  const channel = new Channel(name);
  channel.onmessage = ({ data }) => heard(data);
  return { tell: (message) => channel.postMessage(message) };
}
