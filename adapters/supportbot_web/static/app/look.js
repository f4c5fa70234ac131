/* Colours and place. Rules: the site's accent is kept as it is where it is a surface, with black or white on it,
 * whichever contrasts more; where it is a text or a line it is moved towards black or white until it can be read.
 */

const PAPER = { light: ["#ffffff", "#f1f3f6"], dark: ["#17191e", "#24272e"] }; // as in widget.css: --paper, --surface
const READABLE = 4.6;

/** Puts the look on the root element, and again when the device turns dark or light. */
export function applyLook(root, { accent, theme, position }, direction) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = parse(accent) ?? parse("#0b57d0");

  function paint() {
    const shown = theme === "light" || theme === "dark" ? theme : dark.matches ? "dark" : "light";
    root.dataset.theme = shown;
    root.style.setProperty("--accent", hex(colour));
    root.style.setProperty("--on-accent", hex(contrasting(colour)));
    root.style.setProperty("--ink", hex(readable(colour, PAPER[shown].map(parse))));
  }

  dark.addEventListener("change", paint);
  root.dataset.side = (position === "left") === (direction === "rtl") ? "end" : "start";
  paint();
}

/** [red, green, blue] of #rgb or #rrggbb; null for anything else. */
function parse(text) {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text?.trim() ?? "")?.[1];
  if (!digits) return null;
  const whole = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  return [0, 2, 4].map((start) => parseInt(whole.slice(start, start + 2), 16));
}

const hex = (colour) => `#${colour.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

/** Relative luminance, WCAG 2.2. */
function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function contrasting(colour) {
  const white = [255, 255, 255];
  return contrast(colour, white) >= 4.5 ? white : contrast(colour, [0, 0, 0]) >= 4.5 ? [0, 0, 0] : white;
}

function readable(colour, papers) {
  const towards = luminance(papers[0]) > 0.5 ? 0 : 255;
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = colour.map((part) => part + (towards - part) * share);
    if (papers.every((paper) => contrast(mixed, paper) >= READABLE)) return mixed;
  }
  return [towards, towards, towards];
}
