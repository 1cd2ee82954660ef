/* The page of one crop: the crop with outline and scale bar, its surroundings, and the labelled crops beside it. */
import { outlinePath, tickPath } from "../shared/overlay.js";
import { scaleBar } from "../shared/scalebar.js";
import { draw, drawInView, readPictures } from "../shared/pictures.js";

const SVG = "http://www.w3.org/2000/svg";

function drawPath(svg, [, height, width], data) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const name of ["under", "over"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", data);
    svg.append(path);
  }
}

async function showCrop(figure, crop) {
  const image = await draw(figure.querySelector("canvas"), crop);
  if (!image) return;
  const [, height, width] = image.shape;
  drawPath(figure.querySelector(".outline"), image.shape, crop.contour ? outlinePath(crop.contour) : tickPath(width, height));
  const bar = scaleBar(crop.um_per_px, width);
  figure.querySelector(".scale").hidden = !bar;
  if (!bar) return;
  figure.querySelector(".scale-line").style.width = `${(100 * bar.fraction * width) / Math.max(width, height)}%`;
  figure.querySelector(".scale-text").textContent = bar.label;
}

async function showContext(figure, crop) {
  const image = await draw(figure.querySelector("canvas"), crop, crop.context);
  const missing = figure.querySelector(".no-picture");
  missing.hidden = Boolean(image);
  if (figure.querySelector("canvas").dataset.state === "waiting") missing.textContent = "The surroundings could not be loaded. Load the page again.";
  if (!image) return;
  const [x0, y0, x1, y1] = crop.box_in_context;
  drawPath(figure.querySelector(".outline"), image.shape, `M${x0} ${y0}H${x1}V${y1}H${x0}Z`);
}

const crops = readPictures();
const figures = Object.fromEntries([...document.querySelectorAll("[data-figure]")].map((figure) => [figure.dataset.figure, figure]));
const crop = crops[figures.crop.querySelector("canvas").dataset.crop];
showCrop(figures.crop, crop);
showContext(figures.context, crop);
drawInView(crops, ".tiles canvas[data-crop]");
