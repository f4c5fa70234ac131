/* Files to be sent: chosen, pasted or dropped. Rules: size and type are checked before anything is sent; each is
 * uploaded at once and waits in the tray until its message goes.
 */
import { button, h, icon } from "./dom.js";

const MOST = 10;

/** Whether the type is among `image/*`, `application/pdf` and the like. */
export function accepted(type, types) {
  return types.some((one) => one === "*/*" || one === type || (one.endsWith("/*") && type.startsWith(one.slice(0, -1))));
}

/** `upload(file, {signal, progress})` gives what the server calls the file; `changed()` is called as things move. */
export function createTray({ uploads, say, size, upload, notice, changed }) {
  const element = h("ul", { class: "tray", part: "tray", "aria-label": say("files"), hidden: true });
  const items = new Map();

  function add(files) {
    for (const file of files) {
      const problem = fault(file);
      if (problem) notice.flash(problem);
      else void take(file);
    }
  }

  function fault({ name, size: bytes, type }) {
    if (bytes > uploads.max) return say("file_too_big", { name, max: size(uploads.max) });
    if (!bytes) return say("file_failed", { name });
    if (!accepted(type, uploads.types)) return say("file_type", { name });
    return items.size >= MOST ? say("file_many", { max: MOST }) : "";
  }

  async function take(file) {
    const gone = new AbortController();
    const bar = h("progress", { max: 1, value: 0, "aria-label": say("uploading", { name: file.name }) });
    const remove = button("remove", say("remove", { name: file.name }), () => drop(row), icon("close"));
    const name = h("bdi", { class: "name" }, file.name);
    const row = h("li", { part: "upload" }, icon("file"), name, h("small", {}, size(file.size)), bar, remove);
    items.set(row, { gone, stored: null });
    show();
    try {
      const stored = await upload(file, { signal: gone.signal, progress: (share) => (bar.value = share) });
      if (items.has(row)) items.get(row).stored = stored;
      bar.remove();
    } catch (error) {
      if (!items.has(row)) return;
      notice.flash(reason(file.name, error));
      drop(row);
    }
    changed();
  }

  function reason(name, error) {
    if (error.status === 413) return say("file_too_big", { name, max: size(uploads.max) });
    if (error.status === 415) return say("file_type", { name });
    if (error.status === 429) return say("file_later", { name, seconds: Math.ceil((error.wait || 60_000) / 1000) });
    return say("file_failed", { name });
  }

  function drop(row) {
    items.get(row).gone.abort();
    items.delete(row);
    row.remove();
    show();
  }

  function show() {
    for (const row of items.keys()) if (!row.isConnected) element.append(row);
    element.hidden = !items.size;
    changed();
  }

  function clear() {
    [...items.keys()].forEach(drop);
  }

  return {
    ...{ element, add, clear },
    busy: () => [...items.values()].some(({ stored }) => !stored),
    stored: () => [...items.values()].map(({ stored }) => stored),
  };
}

/** Takes what is pasted into or dropped on the panel. */
export function catchFiles(panel, tray) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => panel.toggleAttribute("data-dropping", on);
  panel.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    tray.add(event.clipboardData.files);
  });
  panel.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    mark(true);
  });
  panel.addEventListener("dragleave", (event) => panel.contains(event.relatedTarget) || mark(false));
  panel.addEventListener("drop", (event) => {
    mark(false);
    if (!carries(event)) return;
    event.preventDefault();
    tray.add(event.dataTransfer.files);
  });
}
