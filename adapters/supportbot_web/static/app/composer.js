/* Where the customer writes. Rules: Enter sends and Shift+Enter breaks the line, but with a finger Enter breaks it; a
 * text is never cut, what is too long stays and is said.
 */
import { button, h, icon, touched } from "./dom.js";
import { catchFiles, createTray } from "./files.js";

const MOST_LINES = 7;

/** `actions`: send(text, files), typing(), upload(file, watch). */
export function createComposer({ config, say, size, notice, actions }, panel) {
  const input = h("textarea", {
    ...{ part: "input", rows: 1, "aria-label": say("message"), placeholder: say("message"), dir: config.dir },
    ...{ enterkeyhint: touched() ? "enter" : "send", autocomplete: "off" },
  });
  const send = h("button", { type: "submit", class: "send", part: "send", "aria-label": say("send") }, icon("send"));
  const { uploads } = config;
  const tray = uploads && createTray({ uploads, say, size, upload: actions.upload, notice, changed: show });
  const element = h(
    "form",
    { class: "composer", part: "composer" },
    tray?.element,
    h("div", { class: "line" }, tray && attach(tray, uploads, say), input, send),
  );
  if (tray) catchFiles(panel, tray);

  function show() {
    const nothing = !input.value.trim() && !tray?.stored().length;
    send.setAttribute("aria-disabled", String(Boolean(nothing || tray?.busy())));
  }

  function grow() {
    input.dir = input.value ? "auto" : config.dir; // an empty one shows the placeholder
    input.style.height = "auto"; // CSSOM: a strict CSP allows it
    const line = parseFloat(getComputedStyle(input).lineHeight);
    input.style.height = `${Math.min(input.scrollHeight, line * MOST_LINES)}px`;
  }

  function submit(event) {
    event?.preventDefault();
    const text = input.value.trim();
    if (tray?.busy()) return notice.flash(say("file_wait"));
    if ([...text].length > config.longest) return notice.flash(say("too_long", { max: config.longest }));
    const files = tray?.stored() ?? [];
    if (!text && !files.length) return;
    actions.send(text, files);
    clear();
    input.focus({ preventScroll: true });
  }

  function clear() {
    input.value = "";
    input.removeAttribute("inputmode");
    tray?.clear();
    notice.flash("");
    grow();
    show();
  }

  element.addEventListener("submit", submit);
  input.addEventListener("input", () => {
    grow();
    show();
    if (input.value.trim()) actions.typing();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touched()) submit(event);
  });
  show();

  /** Asks for a phone number: the right keys for it, and the customer types. */
  function askPhone() {
    input.setAttribute("inputmode", "tel");
    input.focus();
  }

  return { element, input, clear, askPhone };
}

function attach(tray, uploads, say) {
  const accept = uploads.types.join(",");
  const picker = h("input", { type: "file", multiple: true, hidden: true, accept, part: "picker" });
  picker.addEventListener("change", () => {
    tray.add(picker.files);
    picker.value = "";
  });
  const opener = button("attach", say("attach"), () => picker.click(), icon("attach"));
  return h("span", { class: "attaching" }, opener, picker);
}
