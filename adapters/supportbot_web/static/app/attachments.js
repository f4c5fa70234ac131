/* Files that were sent. Rules: they are fetched with the session's token, never loaded from an address; pictures are
 * shown once they come into view; an object URL lives only as long as it is needed.
 */
import { h, icon } from "./dom.js";
import { link, safeLink } from "./render.js";

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const LARGEST_PREVIEW = 8_000_000;

/** The element for a file of an entry: its name and size, and the picture if it is one. */
export function attachment(file, { say, size, fetchFile, notice }) {
  const name = h("bdi", { class: "name" }, file.name);
  const facts = h("span", { class: "facts" }, name, h("small", {}, size(file.size ?? 0)));
  if (!file.id) return elsewhere(file, facts, say);
  const title = say("download", { name: file.name });
  const card = h("button", { type: "button", class: "file", part: "file", title }, icon("file"), facts);
  card.addEventListener("click", async () => {
    card.disabled = true;
    await download(file, fetchFile).catch(() => notice.flash(say("file_gone", { name: file.name })));
    card.disabled = false;
  });
  if (PICTURES.has(file.type) && file.size <= LARGEST_PREVIEW) onceSeen(card, () => preview(card, file, fetchFile));
  return card;
}

/** A file that lies on another server: a link for the person to follow, or just its name. */
function elsewhere(file, facts, say) {
  if (!safeLink(file.url)) return h("span", { class: "file", part: "file" }, icon("file"), facts);
  return link(file.url, say, { class: "file", part: "file" }, icon("file"), facts, icon("leave"));
}

function onceSeen(element, action) {
  const observer = new IntersectionObserver((seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    void action();
  });
  observer.observe(element);
}

async function preview(card, file, fetchFile) {
  const content = await fetchFile(file.id).catch(() => null);
  if (!content) return; // the card stays, and says what is wrong when it is pressed
  const url = URL.createObjectURL(new Blob([content], { type: file.type }));
  const picture = h("img", { alt: "", src: url, part: "picture" });
  const release = (shown) => {
    URL.revokeObjectURL(url);
    if (shown) card.classList.add("pictured");
    else picture.remove();
  };
  picture.addEventListener("load", () => release(true));
  picture.addEventListener("error", () => release(false));
  card.prepend(picture);
}

async function download(file, fetchFile) {
  const content = new Blob([await fetchFile(file.id)], { type: "application/octet-stream" }); // saved, never shown
  const url = URL.createObjectURL(content);
  h("a", { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
