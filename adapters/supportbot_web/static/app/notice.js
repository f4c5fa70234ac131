/* The one line that says what is wrong and what happens next: a state that holds (no connection), and before it what has
 * just happened, for some seconds.
 */
import { h } from "./dom.js";

const SHOWN = 10_000;

/** {element, hold(text), flash(text)}; "" takes it away. */
export function createNotice() {
  const element = h("p", { class: "notice", part: "notice", role: "status" });
  let held = "";
  let flashed = "";
  let timer = 0;

  function show() {
    const text = flashed || held;
    if (element.textContent !== text) element.textContent = text;
  }

  function hold(text) {
    held = text;
    show();
  }

  function flash(text) {
    clearTimeout(timer);
    flashed = text;
    if (text) timer = setTimeout(flash, SHOWN, "");
    show();
  }

  return { element, hold, flash };
}
