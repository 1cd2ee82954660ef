/* The page of crops like one: pictures, marks by keyboard and click, and how many are marked. */
import { isTyping, keyNames } from "../shared/keys.js";
import { drawInView, readPictures } from "../shared/pictures.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/** Place of the tile that a key leads to from this one; `columns` is the width of the grid. Stays inside. */
export function movedPlace(place, key, columns, count) {
  const rows = { ArrowDown: columns, ArrowUp: -columns, Home: -place, End: count - 1 - place };
  const next = place + (STEPS[key] ?? rows[key] ?? 0);
  return next >= 0 && next < count ? next : place;
}

function bind(form) {
  const boxes = [...form.querySelectorAll("input[name=crops]")];
  const chosen = document.getElementById("chosen");
  const submit = form.querySelector("[type=submit]");

  function count() {
    const number = boxes.filter(({ checked }) => checked).length;
    chosen.textContent = `${number} of ${boxes.length} marked`;
    submit.disabled = !number;
  }

  function mark(all) {
    for (const box of boxes) box.checked = all;
    count();
  }

  function columns() {
    const tops = boxes.map((box) => box.closest("li").offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

  form.addEventListener("change", count);
  form.addEventListener("keydown", (event) => {
    const place = boxes.indexOf(event.target);
    const moves = event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End";
    if (place < 0 || !moves) return;
    event.preventDefault();
    boxes[movedPlace(place, event.key, columns(), boxes.length)].focus();
  });
  document.addEventListener("keydown", (event) => {
    if (isTyping(event.target)) return;
    const names = keyNames(event);
    if (names.includes("a")) mark(true);
    if (names.includes("n")) mark(false);
  });
  for (const [id, all] of [["choose-all", true], ["choose-none", false]]) {
    const button = document.getElementById(id);
    button.hidden = false;
    button.addEventListener("click", () => mark(all));
  }
  count();
}

if (typeof document !== "undefined") {
  drawInView(readPictures());
  const form = document.getElementById("similar");
  if (form) bind(form);
}
