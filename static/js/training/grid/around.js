/* Looking at one crop of the grid: its surroundings, its own page, and crops like it. */
import { tileWords } from "./words.js";

/** {context(place, point, held), open(place), pin()}; a place without a crop does nothing. */
export function aroundCrop({ config, page, names, grid, popup, selection, controls }) {
  function context(place, point, held = true) {
    const crop = page.crops[place];
    if (!crop) return;
    const box = grid.querySelector(".grid-tile.active")?.getBoundingClientRect() ?? grid.getBoundingClientRect();
    const text = tileWords(crop, names, { unit: page.unit, sort: page.sort }).name;
    popup.show(crop, page.displays[crop.display], point ?? { x: box.right, y: box.top }, { held, text });
  }

  function open(place) {
    const crop = page.crops[place];
    if (!crop) return;
    if (config.urls.crop) window.open(config.urls.crop.replace("/0/", `/${crop.id}/`), "_blank", "noopener");
    else context(place);
  }

  function pin() {
    const crop = page.crops[selection.active];
    if (!crop) return;
    controls.pin = crop.id;
    controls.set("sort", "similar");
    controls.anew();
  }

  return { context, open, pin };
}
