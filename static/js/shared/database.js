/* A small table of items in IndexedDB. */

const TABLE = "items";

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another page holds an old version"));
  });
}

/** {all(prefix), put(key, item), remove(key)}; every call fails where the browser keeps no database. */
export function openDatabase(name, factory = () => indexedDB) {
  let opened = null;

  function open() {
    opened ??= (async () => {
      const request = factory().open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      const base = await finished(request);
      base.onversionchange = () => base.close();
      return base;
    })();
    return opened;
  }

  async function write(change) {
    const transaction = (await open()).transaction(TABLE, "readwrite", { durability: "strict" });
    change(transaction.objectStore(TABLE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  return {
    async all(prefix) {
      const table = (await open()).transaction(TABLE).objectStore(TABLE);
      return finished(table.getAll(IDBKeyRange.bound(prefix, `${prefix}\uffff`)));
    },
    put: (key, item) => write((table) => table.put(item, key)),
    remove: (key) => write((table) => table.delete(key)),
  };
}
