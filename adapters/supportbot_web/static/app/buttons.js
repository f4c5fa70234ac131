/* The choices of an entry. Rules: one press counts, then all choices are disabled and the chosen one is marked; links
 * are no choices and stay; a place cannot be asked for here, a phone number is typed.
 */
import { h, icon } from "./dom.js";
import { link, safeLink } from "./render.js";

const MENU = 6;

/** {element, update(chosen)} for an entry with buttons. `actions`: press(entry, index), askPhone(). */
export function createButtons(entry, { say, actions }) {
  const shown = entry.buttons.map((choice, index) => ({ ...choice, index })).filter((one) => one.asks !== "location");
  const choices = shown.filter((choice) => !choice.url);
  const asList = entry.menu && choices.length > MENU && choices.every((choice) => !choice.asks);
  const press = (index) => actions.press(entry, index);
  const picker = asList ? createPicker(choices, say, press) : createChoices(choices, actions, press);
  const links = shown.filter((choice) => safeLink(choice.url)).map((choice) => linkButton(choice, say));
  const element = h("div", { class: "buttons", part: "buttons" }, ...picker.elements, ...links);
  return { element, update: picker.update };
}

const style = (choice) => (["primary", "danger"].includes(choice.style) ? choice.style : null);

function linkButton(choice, say) {
  const properties = { class: "choice", part: "link", dir: "auto", "data-style": style(choice) };
  return link(choice.url, say, properties, choice.label, icon("leave"));
}

function createChoices(choices, actions, press) {
  const elements = choices.map((choice) => {
    const click = () => (choice.asks === "phone" ? actions.askPhone() : press(choice.index));
    const hooks = { part: "choice", "data-button": choice.index, "data-style": style(choice) };
    return h("button", { type: "button", class: "choice", dir: "auto", ...hooks, on: { click } }, choice.label);
  });

  function update(chosen) {
    elements.forEach((element, place) => {
      const here = choices[place].index === chosen;
      element.disabled = chosen !== undefined;
      if (element.disabled) element.setAttribute("aria-pressed", String(here));
      else element.removeAttribute("aria-pressed");
      if (here && !element.querySelector("svg")) element.prepend(icon("check"));
    });
  }
  return { elements, update };
}

/** Many choices in one list. */
function createPicker(choices, say, press) {
  const options = choices.map((choice) => h("option", { value: choice.index }, choice.label));
  const prompt = h("option", { value: "", disabled: true, selected: true }, say("choose"));
  const select = h("select", { part: "menu", "aria-label": say("choose") }, prompt, ...options);
  const click = () => select.value && press(Number(select.value));
  const confirm = h("button", { type: "button", class: "choice", part: "pick", on: { click } }, say("pick"));

  function update(chosen) {
    select.disabled = confirm.disabled = chosen !== undefined;
    if (chosen !== undefined) select.value = String(chosen);
  }
  return { elements: [select, confirm], update };
}
