/* The buttons of the classes, and finding one by its name where there are more classes than keys. */
import { getJson } from "../shared/api.js";
import { printed } from "../shared/keys.js";
import { onPress } from "../shared/press.js";

const MOST_FOUND = 40;
const LONG_NAME = 24;
const MANY = 16;
export const GONE = "removed or merged; its key stays empty until this page is loaded again";

/** Places of the classes whose names hold every word of the text: those that begin with it first. */
export function matches(classes, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = classes.map(({ name, isGone }, place) => ({ name: name.toLowerCase(), place, isGone }));
  const kept = found.filter(({ isGone }) => !isGone).filter(({ name }) => words.every((word) => name.includes(word)));
  const starts = ({ name }) => (words.length && name.startsWith(words[0]) ? 0 : 1);
  return kept.sort((a, b) => starts(a) - starts(b) || a.place - b.place).map(({ place }) => place);
}

/**
 * The classes of now at the places of before. One that is gone leaves its place empty: were the others to move up, the
 * next press of a key that a hand knows would name another class. New ones come last.
 */
export function heldPlaces(before, now) {
  const open = new Map(now.map((one) => [one.key, one]));
  const held = before.map((one) => open.get(one.key) ?? { ...one, isGone: true });
  for (const { key } of before) open.delete(key);
  return [...held, ...open.values()];
}

export class ClassButtons {
  constructor({ find, classes, chosen }) {
    Object.assign(this, { find, list: classes, chosen, names: new Map(), buttons: [], map: null });
    this.holder = find("classes");
    this.pattern = this.holder.querySelector("[data-class]")?.cloneNode(true);
    this.search = find("find-text");
    this.adopt([...this.holder.querySelectorAll("[data-class]")]);
    this.search.addEventListener("input", () => this.listFound());
    this.search.addEventListener("keydown", (event) => this.onFindKey(event));
  }

  adopt(buttons) {
    this.buttons = buttons;
    this.names.clear();
    for (const { key, name } of this.list) this.names.set(key, name);
    this.holder.parentElement.toggleAttribute("data-many", this.list.length > MANY);
    this.find("open-find").hidden = this.list.length <= MANY;
    buttons.forEach((button, place) => onPress(button, () => this.chosen(place, button)));
  }

  /** A lead may have removed or renamed a class since this page was loaded. */
  async refresh(url) {
    const { classes } = await getJson(url).catch(() => ({}));
    const held = classes && heldPlaces(this.list, classes);
    if (!held || JSON.stringify(held) === JSON.stringify(this.list)) return;
    this.list = held;
    const buttons = held.map((one) => this.build(one));
    this.holder.replaceChildren(...buttons);
    this.adopt(buttons);
    if (this.map) this.printKeys(this.map);
  }

  /** Whether answers may name this class. */
  isOpen(key) {
    return this.list.some((one) => one.key === key && !one.isGone);
  }

  build({ key, name, color, description, isGone = false }) {
    const button = this.pattern.cloneNode(true);
    button.className = name.length > LONG_NAME ? "answer long" : "answer";
    button.dataset.class = key;
    button.title = [name.length > LONG_NAME ? name : "", isGone ? GONE : description].filter(Boolean).join(": ");
    button.disabled = isGone;
    button.querySelector("rect").setAttribute("fill", color);
    button.querySelector("span").textContent = name;
    return button;
  }

  printKeys(map) {
    this.map = map;
    this.buttons.forEach((button, place) => {
      const key = this.list[place].isGone ? "" : map.keyOf(`class:${place + 1}`);
      button.querySelector("kbd").textContent = printed(key);
      button.querySelector("kbd").hidden = !key;
    });
  }

  /** Shows which class an answer named that was taken back or is looked at again. */
  mark(before) {
    for (const button of this.buttons) button.classList.toggle("before", before?.classes?.includes(button.dataset.class) ?? false);
  }

  openFinder() {
    this.search.value = "";
    this.listFound();
    this.find("find-dialog").showModal();
    this.search.focus();
  }

  listFound() {
    this.found = matches(this.list, this.search.value);
    const rows = this.found.slice(0, MOST_FOUND).map((place) => {
      const button = this.build(this.list[place]);
      button.removeAttribute("data-class");
      button.querySelector("kbd").hidden = true;
      button.addEventListener("click", () => this.pick(place));
      return button;
    });
    this.find("find-list").replaceChildren(...rows);
    const left = this.found.length - rows.length;
    this.find("find-count").textContent = this.found.length
      ? `${this.found.length} of ${matches(this.list, "").length}${left > 0 ? `, the first ${rows.length} shown` : ""}. Enter takes the first.`
      : "No class has such a name.";
  }

  onFindKey(event) {
    if (event.key === "ArrowDown") this.find("find-list").firstElementChild?.focus();
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (this.found.length) this.pick(this.found[0]);
  }

  pick(place) {
    this.find("find-dialog").close();
    this.find("main").focus();
    this.chosen(place, this.buttons[place]);
  }
}
