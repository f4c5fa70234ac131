/* The bot's words, as blocks of runs, into elements. Rules: text goes in as text and nothing else; a link is one only if
 * it is http, https, mailto or tel; nothing is ever loaded from an address that a message names.
 */
import { h, hidden } from "./dom.js";

const LINKS = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address as a link may have it, or "" for what is none. */
export function safeLink(address) {
  try {
    const url = new URL(address); // without a base: a relative address is no link
    return LINKS.has(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** A link that leaves the page alone and tells the other one nothing. */
export function link(address, say, properties, ...children) {
  const rest = { target: "_blank", rel: "noopener noreferrer", ...properties };
  return h("a", { href: safeLink(address), ...rest }, ...children, hidden(` ${say("new_tab")}`));
}

/** A fragment with the blocks. Lists and quotes are nested again, as deep as their blocks say. */
export function renderBlocks(blocks, say) {
  const fragment = document.createDocumentFragment();
  let quotes = [fragment];
  let lists = [];
  for (const block of blocks) {
    const quote = block.quote ?? 0;
    if (quote !== quotes.length - 1) {
      quotes = nestQuotes(quotes.slice(0, quote + 1), quote);
      lists = [];
    }
    const depth = block.depth ?? 0;
    lists = lists.slice(0, depth);
    if (block.kind === "item") addItem(lists, depth, block, quotes.at(-1), say);
    else (lists.at(-1)?.item ?? quotes.at(-1)).append(element(block, say));
  }
  return fragment;
}

function nestQuotes(quotes, depth) {
  while (quotes.length <= depth) {
    const quote = h("blockquote");
    quotes.at(-1).append(quote);
    quotes.push(quote);
  }
  return quotes;
}

function addItem(lists, depth, block, outside, say) {
  const number = parseInt(block.marker, 10);
  const tag = Number.isNaN(number) ? "ul" : "ol";
  if (lists.length === depth && lists[depth - 1]?.list.localName !== tag) lists.length = Math.max(0, depth - 1);
  while (lists.length < Math.max(1, depth)) {
    const list = h(tag);
    (lists.at(-1)?.item ?? outside).append(list);
    lists.push({ list, item: null });
    if (lists.length < depth) list.append((lists.at(-1).item = h("li", { class: "bare" })));
  }
  const item = h("li", tag === "ol" ? { value: number } : {}, h("p", {}, ...runs(block.runs, say)));
  lists.at(-1).list.append(item);
  lists.at(-1).item = item;
}

function element(block, say) {
  switch (block.kind) {
    case "heading":
      // no <h1> to <h6>: the page's outline is the site's
      return h("p", { class: `heading level${block.level}` }, ...runs(block.runs, say));
    case "code":
      return h("pre", { tabindex: 0, dir: "ltr", "data-language": block.language }, h("code", {}, block.text));
    case "table":
      return table(block, say);
    case "rule":
      return h("hr");
    default:
      return h("p", { class: block.tight ? "tight" : null }, ...runs(block.runs, say));
  }
}

function table({ rows = [], aligns = [] }, say) {
  const row = (cells, tag, extra) =>
    h("tr", {}, ...cells.map((cell, i) => h(tag, { class: aligns[i], ...extra }, ...runs(cell, say))));
  const [head = [], ...body] = rows;
  const content = body.map((cells) => row(cells, "td"));
  const whole = h("table", {}, h("thead", {}, row(head, "th", { scope: "col" })), h("tbody", {}, ...content));
  return h("div", { class: "wide", role: "group", "aria-label": say("table"), tabindex: 0 }, whole);
}

function runs(list, say) {
  return (list ?? []).map((run) => {
    let node = document.createTextNode(run.text);
    if (run.code) node = h("code", {}, node);
    if (run.strike) node = h("s", {}, node);
    if (run.italic) node = h("em", {}, node);
    if (run.bold) node = h("strong", {}, node);
    return run.link && safeLink(run.link) ? link(run.link, say, {}, node) : node;
  });
}
