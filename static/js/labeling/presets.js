/* A new study: a preset fills its settings in place, so that nothing typed is lost, and says how many it changed. */
import { changedNames, setControl } from "../shared/fill.js";

const presets = JSON.parse(document.getElementById("preset-values").textContent);
const said = document.getElementById("preset-said");
const links = [...document.querySelectorAll("[data-preset]")];

function controls(values) {
  return Object.fromEntries(Object.keys(values).map((name) => [name, document.getElementById(`id_${name}`)]));
}

function choose(link) {
  const values = presets[link.dataset.preset];
  const held = controls(values);
  const changed = changedNames(held, values);
  for (const name of changed) setControl(held[name], values[name]);
  for (const other of links) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  const settings = changed.length === 1 ? "1 setting" : `${changed.length} settings`;
  said.textContent = `“${link.textContent}”: ${settings} changed below; change whatever you like.`;
}

for (const link of links) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(link);
  });
}
