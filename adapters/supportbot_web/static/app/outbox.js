/* Own messages on their way. Rules: a message keeps its id in every try, so the server takes it once; they go one after
 * the other, in order; what was not taken stands in localStorage and goes after a reload; a no that waiting cannot
 * cure is shown at the message, and a press that is refused is taken back.
 */
import { backoff, pause } from "./patience.js";

const TRIES = 4;

/** 128 random bits in hexadecimal; `randomUUID` is not there on http pages. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function createOutbox({ api, session, store, storage, say, notice, locale }) {
  let running = false;

  const stored = () => storage.read("unsent") ?? [];

  function forget(id) {
    const rest = stored().filter((message) => message.id !== id);
    storage.write("unsent", rest.length ? rest : null);
  }

  /** Takes `{text, files}` or `{text, press}`: the text of a press is the button's label. */
  function add(message) {
    const id = newId();
    const kept = { ...message, at: Date.now() / 1000 };
    storage.write("unsent", [...stored(), { id, ...kept }]);
    store.setUnsent(id, { ...kept, state: "sending" });
    void run();
  }

  /** Goes on with what an earlier page or connection left. */
  function resume() {
    const kept = stored();
    for (const { id, state } of store.unsent()) {
      const elsewhere = state !== "sent" && !kept.some((message) => message.id === id);
      if (elsewhere) store.setUnsent(id, null); // another tab has sent or dropped it
    }
    for (const { id, ...message } of kept) {
      const known = store.unsent().find((m) => m.id === id);
      if (store.entries().some((entry) => entry.key === id)) forget(id);
      else if (!known || known.passing) store.setUnsent(id, { ...message, state: "sending" });
    }
    void run();
  }

  function retry(id) {
    store.setUnsent(id, { state: "sending" });
    void run();
  }

  function discard(id) {
    forget(id);
    store.setUnsent(id, null);
  }

  function clear() {
    for (const { id } of [...stored(), ...store.unsent()]) discard(id);
  }

  async function run() {
    if (running) return;
    running = true;
    for (let next; (next = store.unsent().find((message) => message.state === "sending")); ) await deliver(next);
    running = false;
  }

  async function deliver(message) {
    const waiting = () => store.unsent().some(({ id, state }) => id === message.id && state === "sending");
    for (let failures = 1; waiting(); failures += 1) {
      try {
        await post(message);
        return settle(message.id);
      } catch (error) {
        if (!error.passing) return refuse(message, error);
        if (error.status !== 429 && failures === TRIES) return giveUp();
        if (error.status === 429) notice.flash(say("slow_down", { seconds: Math.ceil((error.wait || 5_000) / 1000) }));
        await pause(error.wait || backoff(failures), { stubborn: error.wait > 0 });
      }
    }
  }

  async function post({ id, text, files = [], press }) {
    const said = press ? { press } : { text, files: files.map((file) => file.id) };
    const body = { id, locale, ...said };
    const userToken = await session.presented();
    await session.authorised((token) => api.send(token, body, userToken));
  }

  /** The server has it; the entry comes by the stream. */
  function settle(id) {
    forget(id);
    if (store.unsent().some((message) => message.id === id)) store.setUnsent(id, { state: "sent" });
  }

  function refuse(message, error) {
    if (!message.press) {
      const why = { 401: "session_lost", 413: "too_long_sent" }[error.status] ?? "refused";
      return store.setUnsent(message.id, { state: "failed", why, passing: false });
    }
    discard(message.id);
    notice.flash(say("choice_closed"));
  }

  /** No answer: the messages after it would overtake it, so all wait for the person or the next connection. */
  function giveUp() {
    const waiting = store.unsent().filter((message) => message.state === "sending");
    for (const { id } of waiting) store.setUnsent(id, { state: "failed", why: "failed", passing: true });
  }

  return { add, resume, retry, discard, clear, forget };
}
