/* Binds keys, buttons and the pointer to what they do in the grid. */
import { isTyping } from "../../shared/keys.js";
import { gridAction } from "./keys.js";
import { bindPointer } from "./pointer.js";

const BUTTONS = {
  "choose-all": "all", "choose-invert": "invert", "choose-none": "none", confirm: "confirm", undo: "undo",
  "not-sure": "notSure", "bad-crop": "bad", "look-around": "context", "pin-crop": "pin", "open-map": "map", "open-keys": "keys",
};

/** parts: what page.js is made of; actions by name, turn(by) pages, resized() loads pixels for another size of tiles. */
export function bindHands(parts) {
  const { find, controls, tiles, steps, turn, resized } = parts;
  bindButtons(parts);
  bindKeys(parts);
  bindTiles(parts);
  find("grid-before").addEventListener("click", () => turn(-1));
  find("grid-after").addEventListener("click", () => turn(1));
  find("grid-newer").addEventListener("click", () => controls.anew());
  controls.field("size").addEventListener("input", ({ target }) => tiles.resize(Number(target.value)));
  controls.field("size").addEventListener("change", resized);
  window.addEventListener("beforeunload", (event) => steps.unsent && event.preventDefault());
  window.addEventListener("online", () => steps.flush());
}

function bindButtons({ find, actions, refresh }) {
  const run = (action, detail) => () => {
    actions[action](detail);
    refresh();
  };
  for (const [id, action] of Object.entries(BUTTONS)) find(id)?.addEventListener("click", run(action, {}));
  document.querySelectorAll("[data-class]").forEach((button, index) => button.addEventListener("click", run("class", { index })));
}

function bindKeys({ find, config, grid, actions, refresh }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const wanted = gridAction(event, config.classes.length);
    // A focused button keeps its own keys, and arrows scroll the page unless the grid has the focus.
    const isControl = event.target.closest?.("button, a, summary, input");
    if (!wanted || (isControl && ["toggle", "confirm", "move"].includes(wanted.action))) return;
    if (wanted.action === "move" && ![grid, find("main"), document.body].includes(event.target)) return;
    event.preventDefault();
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
