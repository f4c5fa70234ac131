/* One message. Rules: what people and models wrote is text; an element is changed in place, since a screen reader reads
 * out whatever is put in anew.
 */
import { attachment } from "./attachments.js";
import { createButtons } from "./buttons.js";
import { h, hidden, icon } from "./dom.js";
import { renderBlocks } from "./render.js";

/** {element, update(state)} of an entry or an own unsent message.
 * state: {first, last} of those that one author sent in a row, `delivery`, `why`, `chosen`, `at`, `n`. */
export function createMessage(message, tools) {
  const { say, config, actions } = tools;
  const own = message.from === "customer";
  const author = own ? say("you") : message.name || (message.from === "bot" ? config.bot || say("bot") : say("human"));
  const body = h("div", { class: "body", part: "body", dir: "auto" }, hidden(`${author}: `));
  if (message.blocks?.length) body.append(renderBlocks(message.blocks, say));
  else if (message.text) body.append(h("p", { class: "plain" }, message.text));
  const said = message.blocks?.length || message.text ? body : null;
  const name = own ? null : h("span", { class: "author", part: "author", dir: "auto", "aria-hidden": "true" }, author);
  const buttons = message.buttons?.length ? createButtons(message, tools) : null;
  const files = (message.files ?? []).map((file) => attachment(file, tools));
  const meta = h("div", { class: "meta", part: "meta" });
  const hooks = { part: "entry", "data-from": message.from, "data-key": message.key };
  const element = h("div", { class: "entry", ...hooks }, name, said, ...files, buttons?.element, meta);
  let shown = "";

  function update(state) {
    element.toggleAttribute("data-first", state.first);
    element.toggleAttribute("data-last", state.last);
    if (state.n) element.dataset.n = state.n;
    if (own) element.dataset.state = state.delivery;
    buttons?.update(state.chosen);
    const facts = `${state.delivery} ${state.why} ${state.at}`;
    if (facts === shown) return;
    shown = facts;
    meta.replaceChildren(...describe(message, state, tools, actions));
  }
  return { element, update };
}

/** Time and, of an own message, how far it has come. */
function describe(message, { delivery, why, at }, { say, time }, actions) {
  if (delivery === "sending") return [say("sending")];
  const stamp = h("time", { datetime: new Date(at * 1000).toISOString() }, time(at));
  if (delivery === "sent") return [stamp, h("span", { class: "tick" }, icon("check"), hidden(say("sent")))];
  if (delivery !== "failed") return [stamp];
  const act = (part, action) =>
    h("button", { type: "button", class: "small", part, on: { click: () => action(message.key) } }, say(part));
  const reason = h("span", { class: "problem" }, say(why || "failed"));
  return [reason, act("retry", actions.retry), act("discard", actions.discard)];
}

/** The bot's words so far: not read out before they are whole. */
export function createPreview(handle, { say, config }) {
  const body = h("div", { class: "body", part: "body", dir: "auto" });
  const author = h("span", { class: "author", dir: "auto" }, config.bot || say("bot"));
  const hooks = { part: "entry preview", "data-from": "bot", "data-handle": handle, "aria-live": "off" };
  const element = h("div", { class: "entry", ...hooks }, author, body);
  let shown = null;

  function update({ blocks, first }) {
    element.toggleAttribute("data-first", first);
    if (blocks === shown) return;
    shown = blocks;
    body.replaceChildren(renderBlocks(blocks, say));
  }
  return { element, update };
}

/** The line that says who has the conversation now. */
export function createSign({ kind, name, text, n }, { say }) {
  const words = say(kind === "claimed" && !name ? "sign_claimed_somebody" : `sign_${kind}`, { name }) || text || "";
  const element = h("p", { class: "sign", part: "sign", "data-kind": kind, "data-n": n, dir: "auto" }, words);
  return { element, update() {} };
}
