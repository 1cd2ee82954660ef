/* Disputed crops: pictures, moving between crops, and deciding one by the key of a class. */
import { csrfToken } from "../shared/api.js";
import { isTyping, KeyMap, printed } from "../shared/keys.js";
import { drawInView, readPictures } from "../shared/pictures.js";
import { keepDrafts, putBack, typedIn } from "./drafts.js";
import { choiceFor, columnsOf, movedPlace } from "./mine.js";

const DECISIONS = /^(?:label:|not_sure$|back$)/;
const FAILED = "Not saved: the server could not be reached or did not take it. The crop is as before; try again.";

/** What a key decides on a crop: "label:KEY", "not_sure", "back" to take it back, or null. */
export function decisionFor(asked, classes) {
  const choice = choiceFor(asked, classes);
  return choice && DECISIONS.test(choice) ? choice : null;
}

/** How long a session has lasted, in words. */
export function lasted(started, now) {
  const minutes = Math.max(0, Math.floor((now - new Date(started).getTime()) / 60000));
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/** Prints on the buttons of a crop which keys press them. */
function printKeys(root, map) {
  for (const sign of root.querySelectorAll("kbd[data-place], kbd[data-action]")) {
    const key = map.keyOf(sign.dataset.action ?? `class:${sign.dataset.place}`);
    sign.textContent = printed(key);
    sign.hidden = !key;
  }
}

function send(tile, choice) {
  const { client, replaces, decide, undo } = tile.dataset;
  const values = { client_id: client, replaces, choice, reason: tile.querySelector("[name=reason]").value };
  window.htmx.ajax("POST", choice === "back" ? undo : decide, { source: tile, target: tile, swap: "outerHTML", values });
}

/** An arrow while nothing has the focus: the first crop takes it, and the page stays where it is. */
export function startsAt(key, active, body) {
  return key.startsWith("Arrow") && (!active || active === body);
}

function openComment(tile) {
  const sheet = tile.querySelector("[data-comment]");
  sheet.open = true;
  sheet.querySelector("textarea").focus();
}

function bind(section, { classes, keys }) {
  const map = new KeyMap(keys, classes.length);
  const status = document.getElementById("dispute-status");
  const pictures = readPictures();
  drawInView(pictures);
  printKeys(section, map);

  section.addEventListener("keydown", (event) => {
    const tile = event.target;
    // Enter would press the first button of the form: it leads back to the crop, where a key decides.
    if (tile.matches("[name=reason]") && event.key === "Enter") {
      event.preventDefault();
      return tile.closest(".dispute").focus();
    }
    if (!tile.matches(".dispute") || isTyping(tile)) return;
    const tiles = [...section.querySelectorAll(".dispute")];
    const place = movedPlace(tiles.indexOf(tile), event.key, columnsOf(tiles), tiles.length);
    if (tiles[place] !== tile || event.key.startsWith("Arrow")) {
      event.preventDefault();
      return tiles[place].focus();
    }
    if (event.repeat || "sent" in tile.dataset) return;
    const asked = map.asked(event);
    if (asked?.action === "comments") {
      event.preventDefault();
      return openComment(tile);
    }
    if (asked?.action === "note") {
      event.preventDefault();
      return tile.querySelector("[name=reason]").focus();
    }
    const choice = decisionFor(asked, classes);
    if (!choice || (choice === "back" && !tile.dataset.replaces)) return;
    event.preventDefault();
    tile.dataset.sent = "";
    send(tile, choice);
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !startsAt(event.key, document.activeElement, document.body)) return;
    const first = section.querySelector(".dispute");
    if (!first) return;
    event.preventDefault();
    first.focus();
  });

  let typed = new Map();
  document.body.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr, requestConfig } }) => {
    // A refusal keeps what was sent as well.
    if (target.matches(".dispute")) typed = typedIn(target, xhr.status < 400 ? requestConfig.elt : null);
  });

  document.body.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    const tile = document.getElementById(target.id);
    if (!tile?.matches(".dispute")) return;
    drawInView(pictures, "canvas[data-crop]", tile);
    printKeys(tile, map);
    putBack(tile, typed);
    tile.focus();
    status.textContent = tile.querySelector("[data-done]")?.textContent ?? "";
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
    status.textContent = FAILED;
  }
}

/** Keeps the time of a session up to date, in words and without a sound. */
function tick(clock) {
  const show = () => { clock.textContent = lasted(clock.dataset.started, Date.now()); };
  show();
  setInterval(show, 20000);
}

if (typeof document !== "undefined") {
  const section = document.getElementById("disputes");
  if (section) bind(section, JSON.parse(document.getElementById("dispute-config").textContent));
  const clock = document.getElementById("session-clock");
  if (clock) tick(clock);
  const form = document.getElementById("session-form");
  if (form) keepDrafts(form, sessionStorage, `parfocal.draft:${location.pathname}`);
}
