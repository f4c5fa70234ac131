/* Waiting and trying again. Rules: a wait grows to half a minute, with jitter so that pages do not come back all at
 * once; it ends early when the browser is online again or the page is looked at again.
 */

const LONGEST = 30_000;

/** Milliseconds before the next try, after so many failures. */
export const backoff = (failures) => Math.min(LONGEST, 500 * 2 ** failures) * (0.5 + Math.random() / 2);

/** Resolves after the time, when there is new hope, or when the signal aborts. `stubborn`: hope does not count. */
export function pause(milliseconds, { signal, stubborn = false } = {}) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (signal?.aborted) done();
    signal?.addEventListener("abort", done, { signal: over.signal });
    if (stubborn) return;
    addEventListener("online", done, { signal: over.signal });
    const looked = () => document.visibilityState === "visible" && done();
    document.addEventListener("visibilitychange", looked, { signal: over.signal });
  });
}

/** What the action returns in the end. A refusal that waiting cannot cure is thrown, as is any once the signal has
 * aborted; `failed` hears of the others. */
export async function patiently(action, { failed = () => {}, signal } = {}) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await action();
    } catch (error) {
      if (!error.passing || signal?.aborted) throw error;
      failed(error);
      await pause(error.wait || backoff(failures), { signal, stubborn: error.wait > 0 });
    }
  }
}
