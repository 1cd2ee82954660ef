/* Keeps the outbox: in IndexedDB, in localStorage until that has it or where there is none, else in memory. */
import { openDatabase } from "./database.js";

/**
 * Store {load, save, remove} under a prefix, one entry per item, so that two tabs never overwrite each other's.
 * `load` gives what earlier pages kept, wherever they kept it. An item is written to localStorage first, because that
 * is done when the call returns, and stays there only until the database has it.
 */
export function createStore(prefix, { database = openDatabase("parfocal"), local = createLocalStore(prefix) } = {}) {
  const removed = new Set();

  async function move(item) {
    try {
      await database.put(prefix + item.id, item);
    } catch {
      return; // localStorage or memory keeps it.
    }
    local.remove(item.id);
    // It may have been sent while it was written.
    if (removed.has(item.id)) await database.remove(prefix + item.id).catch(() => {});
  }

  return {
    async load() {
      const waiting = local.load();
      const kept = await database.all(prefix).catch(() => []);
      for (const item of waiting) move(item);
      const known = new Map([...kept, ...waiting].filter(isItem).map((item) => [item.id, item]));
      return [...known.values()];
    },
    save(item) {
      local.save(item);
      return move(item);
    },
    remove(id) {
      removed.add(id);
      local.remove(id);
      return database.remove(prefix + id).catch(() => {});
    },
  };
}

/** Store {load, save, remove} in localStorage; in memory where that is full or switched off.
 *  `open` returns the storage: merely naming localStorage throws where it is switched off. */
export function createLocalStore(prefix, open = () => localStorage) {
  const memory = new Map();

  function keys(storage) {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key?.startsWith(prefix));
  }

  return {
    load() {
      try {
        const storage = open();
        return [...keys(storage).map((key) => parse(storage.getItem(key))).filter(Boolean), ...memory.values()];
      } catch {
        return [...memory.values()];
      }
    },
    save(item) {
      try {
        open().setItem(prefix + item.id, JSON.stringify(item));
      } catch {
        memory.set(item.id, item);
      }
    },
    remove(id) {
      memory.delete(id);
      try {
        open().removeItem(prefix + id);
      } catch {
        /* Nothing was stored. */
      }
    },
  };
}

function isItem(item) {
  return Boolean(item?.id && item.url && item.body);
}

function parse(text) {
  try {
    const item = JSON.parse(text);
    return isItem(item) ? item : null;
  } catch {
    return null;
  }
}
