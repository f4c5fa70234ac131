/* The list of all that was said. Rules: a row is made once and changed in place; what is new is read out by a screen
 * reader, what is old is not; the end stays in view for those who are at the end, and the place of reading for those
 * who are not.
 */
import { button, h, icon } from "./dom.js";
import { createMessage, createPreview, createSign } from "./message.js";

const ROW_GAP = 300; // seconds between two messages that still stand together

/** `tools`: the words and actions that messages need; `older()` loads earlier entries. */
export function createLog(tools, { older, atEnd }) {
  const { say, day, config, actions } = tools;
  const earlier = button("older", null, () => void older(), say("older"));
  const list = h("div", { class: "list" });
  const typing = h("div", { class: "typing", part: "typing", "aria-live": "off", hidden: true });
  const hooks = { part: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", tabindex: 0 };
  const element = h("div", { class: "log", ...hooks, "aria-label": say("log") }, earlier, list, typing);
  const latest = button("latest", say("latest"), () => toEnd(), icon("down"));
  latest.hidden = true;
  const rows = new Map();
  let pinned = true;

  const below = () => element.scrollHeight - element.scrollTop - element.clientHeight;

  function toEnd() {
    element.scrollTop = element.scrollHeight;
    pinned = true;
    latest.hidden = true;
  }

  element.addEventListener("scroll", () => {
    pinned = below() < 40;
    latest.hidden = pinned;
    if (pinned) atEnd();
    if (element.scrollTop < 60 && !earlier.hidden) void older();
  });
  new ResizeObserver(() => pinned && toEnd()).observe(list);
  new ResizeObserver(() => pinned && toEnd()).observe(element);

  /** Shows the store as it is now. `history`: what is added is old. */
  function sync(store, history) {
    const fromEnd = element.scrollHeight - element.scrollTop;
    const focused = element.getRootNode().activeElement;
    if (history) element.setAttribute("aria-live", "off");
    place(wanted(store, tools));
    showTyping(store.typing());
    earlier.hidden = !store.place.more;
    if (pinned) toEnd();
    else if (history) element.scrollTop = element.scrollHeight - fromEnd;
    else latest.hidden = below() < 40;
    if (focused && element.contains(focused) && focused.disabled) element.focus({ preventScroll: true });
    if (history) setTimeout(() => element.setAttribute("aria-live", "polite"), 500);
  }

  function place(items) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, row] of rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      rows.delete(key);
    }
    let next = list.firstChild;
    for (const { key, make, state } of items) {
      const row = rows.get(key) ?? make();
      rows.set(key, row);
      row.update(state);
      if (row.element === next) next = next.nextSibling;
      else list.insertBefore(row.element, next);
    }
  }

  function showTyping(sign) {
    typing.hidden = !sign;
    if (!sign) return;
    const words = sign.note || say("typing", { name: sign.name || config.bot || say("bot") });
    const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
    typing.replaceChildren(dots, h("span", { dir: "auto" }, words));
  }

  /** The rows in their order: {key, make, state}. */
  function wanted(store) {
    const chosen = store.chosen();
    const messages = [...store.entries().map(stored), ...store.previews().map(previewed), ...store.unsent().map(unsent)];
    const items = [];
    messages.forEach((item, i) => {
      const [before, after] = [messages[i - 1], messages[i + 1]];
      if (!before || day(before.at) !== day(item.at)) items.push(separator(item.at));
      const state = { ...item.state, first: !together(before, item), last: !together(item, after), at: item.at };
      items.push({ ...item, state: { ...state, chosen: chosen.get(item.state.n) } });
    });
    return store.place.loaded && !store.place.more ? [...greeting(), ...items, ...starters(messages)] : items;
  }

  function together(one, two) {
    if (!one || !two || one.alone || two.alone || one.who !== two.who) return false;
    return two.at - one.at < ROW_GAP && day(one.at) === day(two.at);
  }

  function stored(entry) {
    const { n, at, from, name = "", key = "", kind = "message" } = entry;
    const own = from === "customer";
    const shared = { key: own && key ? `own ${key}` : `entry ${n}`, at, who: `${from} ${name}` };
    const state = { n, delivery: own ? "sent" : "" };
    const alone = kind !== "message" || from === "system";
    return { ...shared, state, alone, make: () => (alone ? createSign : createMessage)(entry, tools) };
  }

  const now = () => Date.now() / 1000;
  const previewed = ([handle, blocks]) => {
    const make = () => createPreview(handle, tools);
    return { key: `preview ${handle}`, at: now(), who: "bot ", state: { blocks }, make };
  };

  function unsent({ id, state, why, at, text, files }) {
    const message = { from: "customer", key: id, text, files };
    const make = () => createMessage(message, tools);
    return { key: `own ${id}`, at, who: "customer ", state: { delivery: state, why }, make };
  }

  function separator(at) {
    const label = day(at);
    return { key: `day ${label}`, make: () => still(h("p", { class: "day", part: "day" }, label)) };
  }

  function greeting() {
    if (!config.greeting) return [];
    const make = () => {
      const { element } = createMessage({ from: "bot", text: config.greeting }, tools);
      element.toggleAttribute("data-first", true);
      return still(element);
    };
    return [{ key: "greeting", make }];
  }

  function starters(messages) {
    if (!config.prompts?.length || messages.length) return [];
    const choice = ({ label }) =>
      h("button", { type: "button", class: "choice", part: "prompt", on: { click: () => actions.send(label) } }, label);
    const make = () => still(h("div", { class: "buttons prompts" }, ...config.prompts.map(choice)));
    return [{ key: "prompts", make }];
  }

  return { element, latest, sync, toEnd, atEnd: () => pinned };
}

/** A row that never changes. */
const still = (element) => ({ element, update() {} });
