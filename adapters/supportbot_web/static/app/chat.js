/* The conversation. Rules: nothing is asked of the server before there is a session; history is loaded first and the
 * stream goes on from its last position, so nothing is missed and nothing comes twice; whenever the session changes,
 * what is shown is cleared and begun again.
 */
import { patiently } from "./patience.js";
import { follow } from "./stream.js";

const TYPING_EVERY = 3_000;
const PATIENCE = 2_000;
const TOGETHER = 400;

/** `wanted()`: whether there is anybody to see what comes. `looking()`: whether the end of the conversation is in view.
 * `history()`: what is added next is old. */
export function createChat({ api, session, store, outbox, notice, hub, say, wanted, looking, history }) {
  let running = null; // the AbortController of the conversation that is shown
  let live = false;
  let marking = 0;
  let typedAt = 0;
  let cutTimer = 0;
  let olderComing = null;

  async function begin() {
    if (running) return;
    const mine = (running = new AbortController());
    try {
      const load = () => session.authorised((token) => api.entries(token));
      const page = await patiently(load, { failed: cut, signal: mine.signal });
      if (mine.signal.aborted) return;
      history();
      store.load(page);
      outbox.resume();
      await stream(mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return;
      await lost(error);
      if (running === mine) running = null; // the next opening tries again
    }
  }

  async function stream(signal) {
    const { token } = await session.ensure();
    const open = (attempt) => api.events(token, store.place.last, attempt);
    const received = (event, data) => signal.aborted || handlers[event]?.(data, token);
    await follow({ open, received, failed: cut, wanted, signal });
  }

  const handlers = {
    ready({ last, seen }) {
      live = true;
      store.place.last = Math.max(store.place.last, last);
      store.setSeen(seen);
      store.dropPassing();
      joined();
      outbox.resume();
    },
    entry(entry) {
      if (!store.add(entry)) return;
      outbox.forget(entry.key);
      const { from, name = "", text = "" } = entry;
      if (store.incoming(entry)) hub.emit("message", { from, name, text });
    },
    preview: store.setPreview,
    typing: store.setTyping,
    seen: ({ position }) => store.setSeen(position),
    over: (_, token) => void lost({ status: 401 }, token),
  };

  /** The connection is gone. A short break is not worth a word. */
  function cut(error) {
    live = false;
    store.dropPassing();
    const words = () => say(navigator.onLine ? (error?.status ? "unavailable" : "reconnecting") : "offline");
    if (!navigator.onLine || error?.status) notice.hold(words());
    else cutTimer ||= setTimeout(() => notice.hold(words()), PATIENCE);
  }

  function joined() {
    clearTimeout(cutTimer);
    cutTimer = 0;
    notice.hold("");
  }

  /** The server takes no more of this session: another one, if that may help. */
  async function lost({ status }, token = session.current()?.token) {
    const again = status === 401 && token && patiently(() => session.renew(token), { failed: cut });
    if (await Promise.resolve(again).catch(() => null)) return;
    if (!session.current()) return;
    joined();
    notice.hold(say("session_lost"));
  }

  /** Stops and clears; begins anew if there is a session to begin with. */
  function restart() {
    running?.abort();
    running = null;
    live = false;
    clearTimeout(marking);
    marking = 0;
    joined();
    store.clear();
    if (session.current()) void begin();
  }

  function older() {
    olderComing ??= loadOlder().finally(() => (olderComing = null));
    return olderComing;
  }

  async function loadOlder() {
    const { signal } = running ?? {};
    if (!store.place.more || !signal) return;
    try {
      const page = await session.authorised((token) => api.entries(token, store.oldest()));
      if (signal.aborted) return;
      history();
      store.load(page);
    } catch (error) {
      cut(error);
    }
  }

  /** Tells the server, and by it the person's other devices, that all was looked at. */
  function markSeen() {
    const { last, seen } = store.place;
    if (last <= seen || !running || !looking()) return;
    store.setSeen(last);
    marking ||= setTimeout(() => {
      marking = 0;
      const position = store.place.seen;
      if (position) session.authorised((token) => api.seen(token, position)).catch(() => {}); // the next look tells it
    }, TOGETHER);
  }

  function typing() {
    if (!live || Date.now() - typedAt < TYPING_EVERY) return;
    typedAt = Date.now();
    void session.authorised(api.typing).catch(() => {}); // a sign that is lost does no harm
  }

  addEventListener("offline", () => live && notice.hold(say("offline")));
  addEventListener("online", () => live && notice.hold(""));
  return { begin, restart, older, markSeen, typing };
}
