/* The frame: launcher, panel, header. Rules: all of it is in one open shadow root, styled by a constructed sheet, so
 * neither the page nor its CSP stand in the way. On a narrow screen the panel is a modal that fills it; else the page
 * beside it stays usable. Focus goes in with the panel and back with it.
 */
import { button, h, icon, touched } from "./dom.js";
import { applyLook } from "./look.js";

const KEYS = ["keydown", "keyup", "keypress"];

/** Makes the widget, closed. `alone`: the page has nothing else, so the panel fills it and stays. `toggled(open)` is
 * called after each change. */
export function createView({ config, say, sheet, alone, toggled }) {
  const { title, look, locale, dir } = config;
  const host = h("supportbot-chat");
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];

  const badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true", hidden: true });
  const label = look.launcher ? h("span", { class: "label" }, look.launcher) : null;
  const launcher = button("launcher", "", () => toggle(), icon("chat"), icon("down"), label, badge);
  launcher.setAttribute("aria-haspopup", "dialog");

  const avatar = h("span", { class: "avatar", "aria-hidden": "true" });
  const subtitle = h("p", { class: "subtitle", part: "subtitle" });
  const name = h(alone ? "h1" : "h2", { id: "title", part: "title" }, h("bdi", {}, title));
  const closer = button("close", say("close"), () => close(), icon("close"));
  const names = h("div", { class: "names" }, name, subtitle);
  const header = h("div", { class: "header", part: "header" }, avatar, names, closer);
  const drop = h("p", { class: "drop", "aria-hidden": "true" }, say("drop"));
  const panel = h("dialog", { class: "panel", part: "panel", role: "dialog", "aria-labelledby": "title" }, header, drop);

  const dock = h("section", { class: "dock", "aria-label": title }, launcher);
  const role = alone ? "main" : null;
  const root = h("div", { class: "root", part: "root", lang: locale, dir, role, "data-alone": alone }, dock, panel);
  shadow.append(root);
  applyLook(root, look, dir);

  const narrow = matchMedia("(max-width: 479.98px)");
  let returnTo = null;

  function show() {
    if (narrow.matches && !alone) panel.showModal();
    else panel.show();
    fit();
  }

  /** `quiet`: focus stays where it is. */
  function open({ quiet = false } = {}) {
    if (panel.open) return;
    const active = document.activeElement;
    returnTo = active === host || active === document.body ? launcher : active;
    show();
    launcher.setAttribute("aria-expanded", "true");
    if (!quiet) focus();
    else if (returnTo === launcher) shadow.activeElement?.blur(); // a dialog takes the focus by itself
    else returnTo?.focus({ preventScroll: true });
    toggled(true);
  }

  function close() {
    if (!panel.open || alone) return;
    panel.close();
    launcher.setAttribute("aria-expanded", "false");
    const back = returnTo?.isConnected ? returnTo : launcher;
    back.focus({ preventScroll: true });
    toggled(false);
  }

  const toggle = () => (panel.open ? close() : open());

  /** With a finger the log: the keyboard comes when it is asked for. */
  function focus() {
    shadow.querySelector(touched() ? ".log" : "textarea")?.focus({ preventScroll: true });
  }

  /** On a phone the panel is as high as what the keyboard leaves. */
  function fit() {
    const { height, offsetTop, scale } = visualViewport;
    const full = narrow.matches && scale === 1 && innerHeight - height > 80;
    panel.style.height = full ? `${height}px` : "";
    panel.style.top = full ? `${offsetTop}px` : "";
  }

  for (const event of ["resize", "scroll"]) visualViewport.addEventListener(event, fit);
  narrow.addEventListener("change", () => {
    if (!panel.open) return;
    const active = shadow.activeElement;
    panel.close();
    show();
    active?.focus({ preventScroll: true });
  });
  panel.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || !panel.open) return;
    event.preventDefault();
    close();
  });
  // the page's shortcuts are not meant by what is typed here
  for (const key of KEYS) root.addEventListener(key, (event) => event.stopPropagation());

  function setUnread(count) {
    badge.hidden = !count;
    badge.textContent = count > 99 ? "99+" : count;
    const named = look.launcher || say("launcher");
    launcher.setAttribute("aria-label", count ? `${named}, ${say("unread", { count })}` : named);
  }

  /** Who the customer talks to: a human by name, or "" for the bot. */
  function setPartner(human) {
    const words = human ? say("with", { name: human }) : config.bot && config.bot !== title ? config.bot : say("bot");
    if (subtitle.textContent === words) return;
    subtitle.textContent = words;
    root.toggleAttribute("data-human", Boolean(human));
    avatar.textContent = [...(human || config.bot || title)][0]?.toLocaleUpperCase(locale) ?? "";
  }

  launcher.setAttribute("aria-expanded", "false");
  setUnread(0);
  setPartner("");

  return {
    ...{ panel, open, close, toggle, setUnread, setPartner },
    isOpen: () => panel.open,
    mount: () => document.documentElement.append(host), // outside the body, which pages replace and transform
  };
}
