/* Making elements. Rules: createElement and text only, never markup from a string; no style attributes, which a
 * strict CSP forbids; children that are null or false are left out.
 */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  chat: "M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 4a.5.5 0 0 1-.9-.4V16A2.5 2.5 0 0 1 4 13.5z",
  down: "M6 9.5l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  attach: "M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.5 1.5 0 0 1-2.2-2.2l7.2-7.1",
  file: "M13.5 3H7a1.5 1.5 0 0 0-1.5 1.5v15A1.5 1.5 0 0 0 7 21h10a1.5 1.5 0 0 0 1.5-1.5V8zM13.5 3v5h5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  leave: "M8.5 15.5l7-7M9.5 8.5h6v6",
};

/** An element; `on` holds listeners, true and false set and leave out, everything else is an attribute. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

/** A line drawing of 24 × 24 that a screen reader passes over. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** A button that does not submit a form. */
export function button(part, label, click, ...children) {
  return h("button", { type: "button", part, class: part, "aria-label": label, on: { click } }, ...children);
}

/** Text for a screen reader alone. */
export const hidden = (text) => h("span", { class: "hidden" }, text);

/** Whether a finger is what points here: then Enter breaks the line, and focus must not call up the keyboard. */
export const touched = () => matchMedia("(hover: none) and (pointer: coarse)").matches;
