// Where the client keeps rooms, pages and the outbox: a small key-value store, in IndexedDB or in memory.

/** Values are structured-cloneable. */
export interface ClientStorage {
  get(key: string): Promise<unknown>
  /** All entries whose key starts so, by key. */
  list(prefix: string): Promise<[key: string, value: unknown][]>
  /** Writes all or nothing; `undefined` deletes. Calls take effect in the order they are made. */
  set(entries: [key: string, value: unknown][]): Promise<void>
  clear(): Promise<void>
}

export function memoryStorage(): ClientStorage {
  const entries = new Map<string, unknown>()
  return {
    async get(key) {
      return structuredClone(entries.get(key))
    },
    async list(prefix) {
      const found = [...entries].filter(([key]) => key.startsWith(prefix))
      return structuredClone(found.sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    async set(changes) {
      for (const [key, value] of changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, structuredClone(value))
      }
    },
    async clear() {
      entries.clear()
    },
  }
}

const STORE = 'entries'

/** Opens the database when first used. */
export function indexedDbStorage(name: string): ClientStorage {
  let opening: Promise<IDBDatabase> | undefined
  const open = () =>
    (opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(STORE)
      request.onerror = () => {
        opening = undefined
        reject(request.error)
      }
      request.onsuccess = () => {
        const database = request.result
        // Another tab deletes the database, or the browser closed it: open it anew at the next use.
        database.onversionchange = () => {
          database.close()
          opening = undefined
        }
        database.onclose = () => (opening = undefined)
        resolve(database)
      }
    }))

  async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T> | undefined): Promise<T> {
    const database = await open()
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode)
      const request = work(transaction.objectStore(STORE))
      transaction.oncomplete = () => resolve(request?.result as T)
      transaction.onabort = () => reject(transaction.error)
    })
  }

  return {
    get: key => run('readonly', store => store.get(key)),
    async list(prefix) {
      const range = IDBKeyRange.bound(prefix, prefix + '\uffff')
      let keys: IDBRequest<IDBValidKey[]> | undefined
      const values = await run('readonly', store => {
        keys = store.getAllKeys(range)
        return store.getAll(range) as IDBRequest<unknown[]>
      })
      return values.map((value, index) => [String(keys?.result[index]), value])
    },
    set: entries =>
      run('readwrite', store => {
        for (const [key, value] of entries) {
          if (value === undefined) store.delete(key)
          else store.put(value, key)
        }
        return undefined
      }),
    clear: () => run('readwrite', store => store.clear()),
  }
}

/**
 * A storage whose failures (no space, private window, database gone) are not the caller's: reading gives nothing, and what
 * could not be written lives until the page goes.
 */
export function tolerant(storage: ClientStorage): ClientStorage {
  return {
    get: key => storage.get(key).catch(() => undefined),
    list: prefix => storage.list(prefix).catch(() => []),
    set: entries => storage.set(entries).catch(() => {}),
    clear: () => storage.clear().catch(() => {}),
  }
}
