/* What is shown. Rules: entries are kept once, by their position `n`; an own unsent message goes when the entry with
 * its key comes, a preview when the entry that finishes it does; previews and typing do not outlive a connection.
 */

/** `changed()` is called once for all changes of one task. */
export function createStore(changed) {
  const entries = new Map();
  const previews = new Map();
  let order = null;
  let unsent = [];
  let typing = null;
  let typingTimer = 0;
  let due = false;
  const place = { seen: 0, last: 0, more: false, loaded: false };

  function touch() {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      changed();
    });
  }

  /** Whether the entry is new. */
  function add(entry) {
    if (entries.has(entry.n)) return false;
    entries.set(entry.n, entry);
    order = null;
    place.last = Math.max(place.last, entry.n);
    if (entry.key) unsent = unsent.filter((message) => message.id !== entry.key);
    if (entry.preview) previews.delete(entry.preview);
    if (entry.from !== "customer") setTyping(null);
    touch();
    return true;
  }

  function load(page) {
    page.entries.forEach(add);
    place.more = page.more;
    place.loaded = true;
    place.last = Math.max(place.last, page.last ?? 0);
    setSeen(page.seen ?? 0);
    touch();
  }

  function setPreview({ handle, blocks }) {
    if (blocks.length) previews.set(handle, blocks);
    else previews.delete(handle);
    touch();
  }

  function setTyping(sign) {
    clearTimeout(typingTimer);
    if (sign) typingTimer = setTimeout(setTyping, 6_000, null);
    typing = sign;
    touch();
  }

  function setSeen(position) {
    place.seen = Math.max(place.seen, position);
    touch();
  }

  /** Adds or changes own unsent messages; with null for the change the message is removed. */
  function setUnsent(id, change) {
    const known = unsent.find((message) => message.id === id);
    if (!known && change) unsent = [...unsent, { id, ...change }];
    else unsent = unsent.flatMap((m) => (m.id !== id ? [m] : change ? [{ ...m, ...change }] : []));
    touch();
  }

  function dropPassing() {
    previews.clear();
    setTyping(null);
  }

  function clear() {
    entries.clear();
    order = null;
    unsent = unsent.filter((message) => message.state !== "sent");
    Object.assign(place, { seen: 0, last: 0, more: false, loaded: false });
    dropPassing();
  }

  const sorted = () => (order ??= [...entries.values()].sort((one, other) => one.n - other.n));
  const incoming = (entry) => ["bot", "agent"].includes(entry.from) && (entry.kind ?? "message") === "message";

  /** Which button of which entry was pressed: Map of n to the button's place. */
  function chosen() {
    const presses = [...sorted().map((entry) => entry.chosen), ...unsent.map((message) => message.press)];
    return new Map(presses.filter(Boolean).map(({ entry, button }) => [entry, button]));
  }

  /** The name of the human who has the conversation; "" if the bot has it. */
  function human() {
    const sign = sorted().findLast(({ from, kind }) => from === "agent" || /^(claimed|resolved|returned)$/.test(kind));
    return sign && !/^(resolved|returned)$/.test(sign.kind) ? sign.name || "" : "";
  }

  return {
    ...{ add, load, clear, setPreview, setTyping, setSeen, setUnsent, dropPassing, chosen, human, incoming, place },
    entries: sorted,
    oldest: () => sorted()[0]?.n,
    previews: () => [...previews],
    unsent: () => unsent,
    typing: () => (previews.size ? null : typing),
    unread: () => sorted().filter((entry) => incoming(entry) && entry.n > place.seen).length,
  };
}
