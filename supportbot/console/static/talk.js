// A conversation's page: drafts, tabs, inserting replies, staying at the newest message, who is typing.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- the transcript stays at its end unless somebody reads further up ---
  function stick(box) {
    let end = true;
    const near = () => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    const down = () => { if (end) box.scrollTop = box.scrollHeight; };
    box.addEventListener("scroll", () => { end = near(); }, { passive: true });
    box.addEventListener("load", down, true);
    new MutationObserver(down).observe(box, { childList: true, subtree: true });
    new ResizeObserver(down).observe(box);
    down();
  }

  // --- reply or note ---
  function choose(tab, focus) {
    for (const other of $$('[role="tab"]', tab.parentElement)) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      $(`#${other.getAttribute("aria-controls")}`).hidden = other !== tab;
    }
    if (focus) $(`#${tab.getAttribute("aria-controls")} textarea`)?.focus();
  }
  function tabs(list) {
    const all = $$('[role="tab"]', list);
    all.forEach((tab) => tab.addEventListener("click", () => choose(tab, true)));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = all.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      const next = all[(at + step + all.length) % all.length];
      choose(next, false);
      next.focus();
    });
    choose(all.find((tab) => tab.getAttribute("aria-selected") === "true") || all[0], false);
  }

  // --- drafts outlive a reload of this tab ---
  const key = (area) => `draft:${area.dataset.draft}:${area.id}`;
  function keep(area) {
    try {
      if (area.value) sessionStorage.setItem(key(area), area.value);
      else sessionStorage.removeItem(key(area));
    } catch { /* no room: the draft lives in the page alone */ }
  }
  const restore = (root) => $$("textarea[data-draft]", root).forEach((area) => {
    if (!area.value) area.value = sessionStorage.getItem(key(area)) || "";
  });

  function insert(text) {
    const area = $("#reply-text");
    if (!area) return;
    const tab = $("#tab-reply");
    if (tab) choose(tab, false);
    const before = area.value.slice(0, area.selectionStart), after = area.value.slice(area.selectionEnd);
    area.value = `${before}${before && !before.endsWith("\n") ? "\n" : ""}${text}${after}`;
    keep(area);
    area.focus();
  }

  function clicks(event) {
    const button = event.target.closest?.("[data-dialog], [data-insert], [data-close]");
    if (!button) return;
    if (button.dataset.dialog) {
      const dialog = $(`#${button.dataset.dialog}`);
      dialog.showModal();
      for (const part of $$("[hx-trigger~=opened]", dialog)) part.dispatchEvent(new Event("opened"));
      return;
    }
    button.closest("dialog")?.close();
    if (button.dataset.insert !== undefined) insert(button.dataset.insert);
  }

  // --- the customer sees that their agent is writing ---
  let told = 0;
  function writes(area) {
    if (area.id !== "reply-text" || !area.value || Date.now() - told < 3000 || $("[data-hands]")?.dataset.hands !== "mine") return;
    told = Date.now();
    const body = new URLSearchParams({ csrf: area.form.elements.csrf.value });
    fetch(`${location.pathname}/typing`, { method: "POST", body }).catch(() => {});
  }

  // --- what is unfolded stays so when a part of the page is fetched anew ---
  let unfolded = new Map();
  const remember = (event) => {
    const target = event.detail.target;
    unfolded = new Map($$("details[id]", target).map((one) => [one.id, one.open]));
  };
  const unfold = (event) => {
    for (const one of $$("details[id]", event.detail.target)) if (unfolded.has(one.id)) one.open = unfolded.get(one.id);
  };

  addEventListener("DOMContentLoaded", () => {
    const box = $("[data-stick]");
    if (box) stick(box);
    $$("[data-tabs]").forEach(tabs);
    restore(document);
    document.addEventListener("click", clicks);
    document.addEventListener("input", (event) => { if (event.target.matches?.("textarea[data-draft]")) { keep(event.target); writes(event.target); } });
    const body = document.body;
    body.addEventListener("htmx:oobBeforeSwap", remember);
    body.addEventListener("htmx:oobAfterSwap", unfold);
    body.addEventListener("htmx:beforeSwap", (event) => {
      const form = event.detail.requestConfig?.elt?.closest?.("form");
      if (!form || event.detail.xhr.status >= 300 || event.detail.requestConfig.path.endsWith("/preview")) return;
      if (form.dataset.sends) {
        for (const area of $$("textarea[data-draft]", form)) sessionStorage.removeItem(key(area));
      }
      form.closest("dialog")?.close();
    });
    body.addEventListener("htmx:oobAfterSwap", (event) => {
      const area = $("textarea[data-draft]", event.detail.target);
      if (area && event.detail.target.hidden === false) area.focus();
    });
    body.addEventListener("htmx:afterSwap", (event) => {
      const done = event.detail.target.id === "answer" && $(".notice.good", event.detail.target);
      if (done) setTimeout(() => done.remove(), 6000);
    });
    let timer = 0;
    const typing = (document.body.dataset.topics || "").split(" ").find((topic) => topic.startsWith("typing:"));
    if (typing) {
      body.addEventListener(`live:${typing}`, () => {
        const sign = $("#typing");
        sign.textContent = "The customer is typing…";
        clearTimeout(timer);
        timer = setTimeout(() => { sign.textContent = ""; }, 6000);
      });
    }
  });
})();
