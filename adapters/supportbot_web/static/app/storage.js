/* What outlives the page: JSON in localStorage under `supportbot:<base url>`. Where the browser forbids that, or it is
 * full, values live as long as the page.
 */

const READ_ELSEWHERE = 150; // milliseconds

/** `read(name)`, `write(name, value)` (null removes) and `watch(name, changed)` for what other tabs write. */
export function createStorage(base) {
  const memory = new Map();
  const full = (name) => `supportbot:${base}${name && `:${name}`}`;

  function read(name) {
    const key = full(name);
    try {
      return JSON.parse(memory.get(key) ?? localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  function write(name, value) {
    const key = full(name);
    memory.delete(key);
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
    } catch {
      memory.set(key, JSON.stringify(value));
    }
  }

  function watch(name, changed) {
    // a null key: everything was cleared
    addEventListener("storage", (event) => (event.key === full(name) || event.key === null) && changed(read(name)));
  }

  return { read, write, watch, lock: (task) => locked(full("lock"), task) };
}

/** One tab at a time; where the browser has no locks (http pages), none is held. The lock is kept a little longer than
 * the task takes, since what one tab writes is not at once what the others read. */
function locked(name, task) {
  if (!navigator.locks) return task();
  return new Promise((resolve, reject) => {
    const hold = async () => {
      await task().then(resolve, reject);
      await new Promise((free) => setTimeout(free, READ_ELSEWHERE));
    };
    navigator.locks.request(name, hold).catch(reject);
  });
}
