/* Other tabs of the same person: who is open, and what they answered. Both are comforts: without them nothing is lost. */

/** Gives this page a name that others see while it is open; returns living(): the names of all open pages, or null. */
export function announce(name, locks = globalThis.navigator?.locks) {
  // The lock is never given back: it ends with the page.
  locks?.request(name, () => new Promise(() => {})).catch(() => {});
  return async () => (locks ? new Set((await locks.query()).held.map((lock) => lock.name)) : null);
}

/**
 * The other open pages with this channel, by what they say of themselves: known without asking, since a page that is
 * being closed has no time to. One that ends without a word (it crashed) stays known: what it held ends by itself.
 */
export class Company {
  constructor(channel, own, Channel = globalThis.BroadcastChannel) {
    Object.assign(this, { own, others: new Set() });
    this.channel = openChannel(channel, (message) => this.hear(message), Channel);
  }

  get isAlone() {
    return this.others.size === 0;
  }

  come() {
    this.say("here", true);
  }

  go() {
    this.say("gone");
  }

  say(word, asks = false) {
    this.channel.tell({ word, asks, from: this.own });
  }

  hear({ word, asks, from }) {
    if (word === "gone") this.others.delete(from);
    else this.others.add(from);
    if (asks) this.say("here");
  }
}

/** {tell(message)}; heard(message) is called with what other tabs tell. */
export function openChannel(name, heard, Channel = globalThis.BroadcastChannel) {
  if (!Channel) return { tell: () => {} };
  const channel = new Channel(name);
  channel.onmessage = ({ data }) => heard(data);
  return { tell: (message) => channel.postMessage(message) };
}
