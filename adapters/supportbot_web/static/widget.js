/* The one tag:
 *
 *   <script src="https://bot.example/chat/widget.js" async></script>
 *
 * Rules: `supportbot` is the only global. A second tag does nothing. What the page asks for before the app has come
 * is done once it has. Listeners are kept here, so that a `token` callback is known before the first request.
 * `supportbot:ready` is sent to the document as soon as `window.supportbot` is there.
 */
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || Object.hasOwn(window, "supportbot")) return; // an element with this id is no own property

  const base = new URL(".", tag.src).href.replace(/\/$/, "");
  const options = { ...tag.dataset };
  const listeners = new Map();

  function on(event, callback) {
    if (typeof callback !== "function") throw new TypeError("supportbot.on: the callback is no function");
    const called = listeners.get(event) ?? new Set();
    listeners.set(event, called.add(callback));
    return () => called.delete(callback);
  }

  const hub = {
    emit(event, detail) {
      for (const callback of listeners.get(event) ?? []) {
        Promise.resolve(detail).then(callback).catch(console.error); // a page's error is not the chat's
      }
    },
    /** The page's answer to `event` by the callback that came last; undefined without one. */
    async ask(event) {
      return [...(listeners.get(event) ?? [])].pop()?.();
    },
    forget: (event) => listeners.delete(event),
  };

  const app = import(`${base}/app/main.js`).then(({ start }) => start(base, options, hub));
  app.catch((error) => console.warn(`supportbot: ${error.message}`));
  const later = (name) => (detail) => void app.then((chat) => chat[name](detail)).catch(() => {});

  window.supportbot = Object.freeze({
    open: () => later("open")(),
    close: () => later("close")(),
    toggle: () => later("toggle")(),
    identify(token) {
      options.userToken = String(token ?? "");
      later("identify")(options.userToken);
    },
    logout() {
      options.userToken = "";
      hub.forget("token");
      later("logout")();
    },
    on,
  });
  document.dispatchEvent(new CustomEvent("supportbot:ready"));
})();
