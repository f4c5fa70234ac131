// The console's own behaviour. What the pages show comes from the server; this keeps it fresh and reachable by keys.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- times: in the reader's zone and kept up to date ---
  const long = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
  const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
  function length(seconds) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
    }
    return `${Math.floor(seconds)} s`;
  }
  function showTime(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const past = (Date.now() - at) / 1000;
    let words = length(Math.abs(past));
    if (element.dataset.time === "when") {
      words = at.toDateString() === new Date().toDateString() ? hours.format(at) : long.format(at);
    } else if (element.dataset.time === "ago") {
      words = past >= 0 ? `${words} ago` : `in ${words}`;
    }
    if (element.textContent !== words) element.textContent = words;
    element.title = full.format(at);
  }
  const showTimes = (root = document) => $$("time[data-time]", root).forEach(showTime);

  // --- a sentence at the foot of the page ---
  let toastTimer = 0;
  function toast(sentence) {
    const box = $("#toast");
    box.textContent = sentence;
    box.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { box.hidden = true; }, 8000);
  }

  // --- the live connection: one stream a page, its events are handed to the page as live:TOPIC ---
  function connect() {
    const topics = (document.body.dataset.topics || "").split(" ").filter(Boolean);
    const sign = $("#connection");
    if (!topics.length || !sign || !window.EventSource) return;
    let source = null, last = 0, tries = 0, lost = false, wait = 0;
    const say = (state, words) => {
      if (sign.dataset.state === state) return;
      sign.dataset.state = state;
      sign.textContent = words;
    };
    const hand = (topic, data) => {
      last = Date.now();
      document.body.dispatchEvent(new CustomEvent(`live:${topic}`, { detail: { data } }));
    };
    const refresh = () => topics.filter((one) => !one.startsWith("typing:")).forEach((one) => hand(one, ""));
    const open = () => {
      clearTimeout(wait);
      source?.close();
      source = new EventSource(`/console/events?topics=${encodeURIComponent(topics.join(","))}`);
      last = Date.now();
      source.onopen = () => {
        tries = 0;
        say("ok", "Live");
        if (lost) { lost = false; refresh(); }
      };
      source.onerror = () => again();
      source.addEventListener("beat", () => { last = Date.now(); });
      source.addEventListener("over", () => { source.close(); location.reload(); });
      topics.forEach((topic) => source.addEventListener(topic, (event) => hand(topic, event.data)));
    };
    const again = () => {
      source?.close();
      lost = true;
      tries += 1;
      say("lost", "Reconnecting…");
      clearTimeout(wait);
      wait = setTimeout(open, Math.min(15000, 500 * 2 ** Math.min(tries, 5)) * (0.7 + Math.random() * 0.6));
    };
    const pause = () => {
      clearTimeout(wait);
      source?.close();
      source = null;
      lost = true;
      say("none", "Paused");
    };
    // browsers share few connections (six over plain http) between all tabs of a site: a tab that nobody sees has none
    let hide = 0;
    if (document.hidden) pause();
    else open();
    // a stream that has said nothing for two heartbeats is dead, whatever the browser thinks
    setInterval(() => { if (source?.readyState === 1 && Date.now() - last > 40000) again(); }, 5000);
    addEventListener("online", () => { if (!document.hidden) open(); });
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hide);
      if (document.hidden) {
        hide = setTimeout(pause, 2000);
      } else if (!source) open();
    });
    addEventListener("pagehide", () => source?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) { lost = true; open(); } });
  }

  // --- theme: a cookie, so that the server sends the right page at once ---
  function themes() {
    const button = $("#theme-button");
    if (!button) return;
    const names = ["", "light", "dark"];
    const show = () => {
      button.textContent = `Theme: ${document.documentElement.dataset.theme || "system"}`;
    };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
      if (next) document.documentElement.dataset.theme = next;
      else delete document.documentElement.dataset.theme;
      const age = next ? 31536000 : 0;
      document.cookie = `supportbot_theme=${next}; path=/console; max-age=${age}; samesite=lax`;
      show();
    });
  }

  function menu() {
    const button = $("#menu-button"), list = $("#menu");
    if (!button || !list) return;
    const set = (open) => {
      button.setAttribute("aria-expanded", String(open));
      list.toggleAttribute("data-closed", !open);
    };
    button.hidden = false;
    set(false);
    button.addEventListener("click", () => set(button.getAttribute("aria-expanded") !== "true"));
    list.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") { set(false); button.focus(); }
    });
  }

  // --- keys ---
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog") !== null;
  const move = (step) => {
    const links = $$("[data-item]");
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + step))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const help = () => { const dialog = $("#help"); if (dialog && !dialog.open) dialog.showModal(); };
  const press = (name) => {
    const element = $(`[data-key="${name}"]`);
    if (!element) return false;
    if (element.matches("input, textarea, select")) element.focus();
    else element.click();
    return true;
  };
  let before = "", beforeAt = 0;
  function onKey(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.matches?.("textarea")) {
      event.preventDefault();
      event.target.form?.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
    const pair = Date.now() - beforeAt < 1200 ? before : "";
    before = event.key;
    beforeAt = Date.now();
    if (pair === "g" && event.key === "q") { event.preventDefault(); location.assign("/console/queue"); return; }
    const acts = {
      "/": () => press("search") || location.assign("/console/conversations#q"),
      "?": help,
      j: () => move(1),
      k: () => move(-1),
      r: () => press("reply"),
      n: () => press("note"),
      c: () => (document.activeElement?.closest("[data-row]")?.querySelector("[data-claim]") || $('[data-key="claim"]'))?.click(),
    };
    const act = Object.hasOwn(acts, event.key) ? acts[event.key] : null;
    if (!act || $("dialog[open]")) return;
    event.preventDefault();
    act();
  }

  // --- focus never falls off the page: a button that rests while it works gets it back, one that is gone gives it on ---
  function keepFocus() {
    let held = null;
    const nowhere = () => !document.activeElement || document.activeElement === document.body;
    document.body.addEventListener("htmx:beforeRequest", (event) => {
      if (event.detail.requestConfig.elt.contains(document.activeElement)) held = document.activeElement;
    });
    const give = () => {
      if (!held || document.activeElement === held || (held.isConnected && held.matches(":disabled"))) return;
      if (nowhere()) held.focus({ preventScroll: true });
      if (nowhere()) ($("#state") || $("#content")).focus({ preventScroll: true });
      held = null;
    };
    for (const done of ["htmx:afterSwap", "htmx:afterRequest"]) document.body.addEventListener(done, give);
  }

  // --- what goes wrong with a request is said in words ---
  function failures() {
    document.body.addEventListener("htmx:responseError", (event) => {
      const status = event.detail.xhr.status;
      if (status === 401) { location.reload(); return; }
      if (event.detail.requestConfig?.verb === "get") return;
      toast({
        403: "Your session is over or was renewed in another tab: reload the page and try again.",
        404: "That is not there any more.",
        413: "That is too large.",
        429: "Too many at once: wait a moment and try again.",
      }[status] || "That did not work; nothing was sent. Try again.");
    });
    document.body.addEventListener("htmx:sendError", (event) => {
      if (event.detail.requestConfig?.verb !== "get") toast("The server cannot be reached; nothing was sent. Try again.");
    });
  }

  addEventListener("DOMContentLoaded", () => {
    showTimes();
    setInterval(showTimes, 15000);
    themes();
    menu();
    keepFocus();
    failures();
    connect();
    document.addEventListener("keydown", onKey);
    const button = $("#help-button");
    if (button) { button.hidden = false; button.addEventListener("click", help); }
    document.body.addEventListener("htmx:afterSwap", (event) => showTimes(event.target.isConnected ? event.target : document));
    document.body.addEventListener("htmx:oobAfterSwap", (event) => showTimes(event.detail.target));
    for (const here of $$(".tabs [aria-current]")) here.scrollIntoView({ block: "nearest", inline: "center" });
    $$("[data-without-script]").forEach((element) => { element.hidden = true; });
    document.addEventListener("change", (event) => { if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit(); });
    $$("[data-focus]").forEach((element) => element.focus());
  });
  window.supportbotConsole = { toast, showTimes };
})();
