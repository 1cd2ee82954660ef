/* Binds keys, buttons and the pointer to what they do in the grid. */
import { isTyping, printed } from "../../shared/keys.js";
import { onPress } from "../../shared/press.js";
import { bindPointer } from "./pointer.js";

const BUTTONS = {
  "choose-all": "all", "choose-invert": "invert", "choose-none": "none", confirm: "confirm", undo: "undo",
  "not-sure": "notSure", "bad-crop": "bad", "wrong-object": "wrong", "look-around": "context", "pin-crop": "pin", "open-map": "map",
  "open-keys": "keys",
};
// The second click of a double click must not do these again.
const ONCE = new Set(["confirm", "undo", "notSure", "bad", "wrong"]);

/** parts: what page.js is made of; actions by name, turn(by) pages, resized() loads pixels for another size of tiles. */
export function bindHands(parts) {
  const { find, controls, tiles, pictures, turn, resized } = parts;
  bindButtons(parts);
  printKeys(parts.keys);
  bindKeys(parts);
  bindTiles(parts);
  find("grid-before").addEventListener("click", () => turn(-1));
  find("grid-after").addEventListener("click", () => turn(1));
  find("grid-newer").addEventListener("click", () => controls.anew());
  controls.field("size").addEventListener("input", ({ target }) => tiles.resize(Number(target.value)));
  controls.field("size").addEventListener("change", resized);
  // Back on line, or back from logging in elsewhere.
  for (const name of ["online", "focus"]) window.addEventListener(name, () => pictures.retry());
}

/** Writes each key where it is named; what has none shows none. */
function printKeys(keys) {
  document.querySelectorAll("[data-class] kbd").forEach((key, index) => { key.dataset.key = `class:${index + 1}`; });
  for (const place of document.querySelectorAll("kbd[data-key]")) {
    place.textContent = printed(keys.keyOf(place.dataset.key));
    place.hidden = !place.textContent;
  }
}

function bindButtons({ find, actions, refresh }) {
  const run = (action, detail) => () => {
    actions[action](detail);
    refresh();
  };
  for (const [id, action] of Object.entries(BUTTONS)) {
    const button = find(id);
    if (!button) continue;
    if (ONCE.has(action)) onPress(button, run(action, {}));
    else button.addEventListener("click", run(action, {}));
  }
  document.querySelectorAll("[data-class]").forEach((button, index) => onPress(button, run("class", { index })));
}

function bindKeys({ find, keys, grid, actions, refresh }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const wanted = keys.asked(event);
    // A focused button keeps its own keys, and arrows scroll the page unless the grid has the focus.
    const isControl = event.target.closest?.("button, a, summary, input");
    if (!wanted || (isControl && ["toggle", "confirm", "move"].includes(wanted.action))) return;
    if (wanted.action === "move" && ![grid, find("main"), document.body].includes(event.target)) return;
    event.preventDefault();
    // A key that is held down moves on and on; it gives no answer twice.
    if (event.repeat && wanted.action !== "move") return;
    actions[wanted.action](wanted);
    refresh();
  });
}

function bindTiles({ grid, tiles, selection, answering, popup, refresh, context, open }) {
  let before = [];

  function after(place) {
    popup.hide();
    tiles.activate(place);
    refresh();
  }

  bindPointer(grid, tiles, {
    click: (place, { touch, ...keys }) => {
      selection.click(place, { ...keys, toggles: answering.isExceptions || (touch && selection.size > 0) });
      after(place);
    },
    press: (place) => {
      selection.toggle(place);
      after(place);
    },
    band: (box, more, phase) => {
      if (phase === "begin") before = more || answering.isExceptions ? selection.places() : [];
      selection.band(tiles.placesIn(box), before);
      refresh();
    },
    open,
    context: (place, point) => place !== null && context(place, point),
    hold: (place, point) => context(place, point, false),
    leave: () => popup.hide({ passing: true }),
  });
}
