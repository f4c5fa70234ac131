/* Puts the parts together. Rules: until there is a session only the configuration and the sheet are asked for; the
 * tag's options stand above the server's.
 */
import { createApi } from "./api.js";
import { createChat } from "./chat.js";
import { createComposer } from "./composer.js";
import { touched } from "./dom.js";
import { createLog } from "./log.js";
import { createNotice } from "./notice.js";
import { createOutbox } from "./outbox.js";
import { patiently } from "./patience.js";
import { createSession } from "./session.js";
import { createStorage } from "./storage.js";
import { createStore } from "./store.js";
import { createView } from "./view.js";
import { wording } from "./wording.js";

/** Starts the widget; gives what the page may call. `options` are the tag's data-attributes. */
export async function start(base, options, hub) {
  const api = createApi(base);
  const alone = options.open === "page";
  const locale = options.locale || (!alone && document.documentElement.lang) || navigator.language;
  const [served, sheet] = await Promise.all([loadConfig(api, locale), loadSheet()]);
  const config = customised(served, options);
  const words = wording(config);
  const { say } = words;
  const storage = createStorage(base);
  const notice = createNotice();
  const store = createStore(() => refresh());
  let isHistory = true;
  let unread = 0;

  const session = createSession({ api, storage, hub, userToken: options.userToken, changed: sessionChanged });
  const outbox = createOutbox({ api, session, store, storage, say, notice, locale });
  const visible = () => document.visibilityState === "visible";
  const chat = createChat({
    ...{ api, session, store, outbox, notice, hub, say },
    wanted: () => visible() || view.isOpen(),
    looking: () => visible() && view.isOpen() && log.atEnd(),
    history: () => (isHistory = true),
  });

  const actions = {
    send(text, files = []) {
      log.toEnd();
      outbox.add({ text, files });
      void chat.begin();
    },
    press(entry, button) {
      log.toEnd();
      outbox.add({ text: entry.buttons[button].label, press: { entry: entry.n, button } });
      if (!touched()) composer.input.focus({ preventScroll: true });
    },
    askPhone: () => composer.askPhone(),
    retry: outbox.retry,
    discard: outbox.discard,
    typing: chat.typing,
    upload: (file, watch) => session.authorised((token) => api.upload(token, file, watch)),
  };
  const fetchFile = (id) => session.authorised((token) => api.file(token, id));
  const tools = { ...words, config, notice, actions, fetchFile };

  const view = createView({ config, say, sheet, alone, toggled });
  const log = createLog(tools, { older: chat.older, atEnd: chat.markSeen });
  const composer = createComposer(tools, view.panel);
  view.panel.append(log.element, log.latest, notice.element, composer.element);
  view.mount();
  document.addEventListener("visibilitychange", () => chat.markSeen());

  function refresh() {
    log.sync(store, isHistory);
    isHistory = false;
    view.setPartner(store.human());
    if (store.unread() !== unread) {
      unread = store.unread();
      view.setUnread(unread);
      hub.emit("unread", unread);
    }
    chat.markSeen();
  }

  function toggled(open) {
    hub.emit(open ? "open" : "close");
    if (!open) return;
    log.toEnd();
    void chat.begin();
    chat.markSeen();
  }

  function sessionChanged(why) {
    if (why === "guest") return notice.flash(say("guest"));
    if (why === "gone" || why === "other") {
      outbox.clear();
      composer.clear();
    }
    chat.restart();
    if (why === "gone") view.close();
    if (why === "renewed") notice.flash(say("session_over"));
  }

  await session.resume();
  if (session.current()) void chat.begin();
  if (["", "true", "page"].includes(options.open)) view.open({ quiet: !alone || touched() });
  hub.emit("ready");
  return { open: view.open, close: view.close, toggle: view.toggle, identify: session.identify, logout: session.logout };
}

/** The server's configuration with the tag's options in it. */
function customised(config, { theme, position, accent, launcher, title }) {
  const given = Object.entries({ theme, position, accent, launcher }).filter(([, value]) => value !== undefined);
  return { ...config, title: title ?? config.title, look: { ...config.look, ...Object.fromEntries(given) } };
}

/** Tries for some minutes: a server that does not know this page's origin looks like one that is down. */
function loadConfig(api, locale) {
  let failures = 0;
  const failed = (error) => {
    failures += 1;
    if (failures > 8) throw error;
  };
  return patiently(() => api.config(locale), { failed });
}

async function loadSheet() {
  const response = await fetch(new URL("widget.css", import.meta.url), { credentials: "omit" });
  if (!response.ok) throw new Error("the style sheet is missing");
  return new CSSStyleSheet().replace(await response.text());
}
