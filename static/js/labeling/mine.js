/* The page of one's own answers: pictures, moving between answers, and changing one by its key. */
import { csrfToken } from "../shared/api.js";
import { isTyping, KeyMap } from "../shared/keys.js";
import { drawInView, readPictures } from "../shared/pictures.js";

const PLAIN = { notSure: "not_sure", bad: "bad_crop", wrong: "wrong_object" };
const OTHERS = [["not_sure", "not sure"], ["bad_crop", "bad crop"], ["wrong_object", "wrong object"]];

/** What a key asks for on an answer: "label:KEY", a plain answer, "back", or null. */
export function choiceFor(asked, classes) {
  if (!asked) return null;
  if (asked.action === "class") return classes[asked.index] ? `label:${classes[asked.index].key}` : null;
  return asked.action === "undo" ? "back" : (PLAIN[asked.action] ?? null);
}

/** [value, text] of everything that can be answered. */
export function choices(classes) {
  return [...classes.map(({ key, name }) => [`label:${key}`, name]), ...OTHERS];
}

/** Place of the answer that an arrow leads to; `columns` is the width of the grid. Stays inside. */
export function movedPlace(place, key, columns, count) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -place, End: count - 1 - place }[key];
  const next = place + (step ?? 0);
  return next >= 0 && next < count ? next : place;
}

/** How many tiles stand in the first row. */
export function columnsOf(tiles) {
  const top = tiles[0]?.getBoundingClientRect().top;
  return Math.max(1, tiles.filter((tile) => tile.getBoundingClientRect().top === top).length);
}

function fillChoices(select, classes) {
  if (select.options.length) return;
  for (const [value, text] of choices(classes)) select.append(new Option(text, value));
}

function send(tile, choice) {
  const { client, replaces, change, back } = tile.dataset;
  const url = choice === "back" ? back : change;
  const values = { client_id: client, replaces, choice };
  window.htmx.ajax("POST", url, { source: tile, target: tile, swap: "outerHTML", values });
}

function bind(section, { classes, keys }) {
  const map = new KeyMap(keys, classes.length);
  const status = document.getElementById("mine-status");
  let pictures = readPictures();
  drawInView(pictures);

  section.addEventListener("keydown", (event) => {
    const tile = event.target;
    if (!tile.matches(".mine-tile") || isTyping(tile)) return;
    const tiles = [...section.querySelectorAll(".mine-tile")];
    const place = movedPlace(tiles.indexOf(tile), event.key, columnsOf(tiles), tiles.length);
    if (tiles[place] !== tile || event.key.startsWith("Arrow")) {
      event.preventDefault();
      return tiles[place].focus();
    }
    if (event.repeat || !("own" in tile.dataset) || "sent" in tile.dataset) return;
    const choice = choiceFor(map.asked(event), classes);
    if (!choice || (choice === "back" && !tile.dataset.replaces)) return;
    event.preventDefault();
    tile.dataset.sent = "";
    send(tile, choice);
  });

  section.addEventListener("toggle", ({ target }) => {
    const select = target.matches("[data-edit]") && target.querySelector("select");
    if (select) fillChoices(select, classes);
  }, true);

  section.addEventListener("click", ({ target }) => {
    if (target.closest("[data-keep]")) target.closest(".mine-tile").querySelectorAll(".mine-choice, [role=alert]").forEach((part) => part.remove());
  });

  document.body.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    if (target.id === "answers") {
      pictures = readPictures();
      drawInView(pictures);
      return;
    }
    const tile = document.getElementById(target.id);
    if (!tile) return;
    drawInView(pictures, "canvas[data-crop]", tile);
    tile.focus();
    const said = tile.querySelector(".mine-said").textContent.trim();
    status.textContent = tile.querySelector("[role=alert]") ? "" : `Saved: ${said}.`;
  });

  // A log-in in another tab changes the token.
  document.body.addEventListener("htmx:configRequest", ({ detail: { headers } }) => {
    headers["X-CSRFToken"] = csrfToken(document.cookie, headers["X-CSRFToken"]);
  });

  document.body.addEventListener("htmx:sendError", ({ detail: { target } }) => failed(target));
  document.body.addEventListener("htmx:responseError", ({ detail: { target, xhr } }) => failed(target, xhr));

  function failed(tile, xhr = null) {
    delete tile.dataset.sent;
    status.textContent = "";
    if (xhr?.status === 401) return; // It is said that the session is over.
    status.classList.remove("visually-hidden");
    status.textContent = "Not saved: the server could not be reached or did not take it. Your answer is as before; try again.";
  }
}

if (typeof document !== "undefined") {
  const section = document.getElementById("mine");
  if (section) bind(section, JSON.parse(document.getElementById("mine-config").textContent));
}
