/* Keeps the outbox in localStorage: one key per item, so that two tabs never overwrite each other's answers. */

/** Store {load, save, remove} under a prefix; falls back to memory when storage is full or switched off.
 *  `open` returns the storage: merely naming localStorage throws where it is switched off. */
export function createStore(prefix, open = () => localStorage) {
  const memory = new Map();

  function keys(storage) {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key?.startsWith(prefix));
  }

  return {
    load() {
      try {
        const storage = open();
        return keys(storage).map((key) => parse(storage.getItem(key))).filter(Boolean);
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

function parse(text) {
  try {
    const item = JSON.parse(text);
    return item?.id && item.url && item.body ? item : null;
  } catch {
    return null;
  }
}
