/* What is drawn over pictures: outlines, boxes, dots, and what lies beyond the image. */

const SVG = "http://www.w3.org/2000/svg";

/** Path data of a closed outline. */
export function outlinePath(points) {
  return points.length > 2 ? `M${points.map(([x, y]) => `${x} ${y}`).join("L")}Z` : "";
}

/** Four ticks that point at the middle, for crops without an outline: the object is the one in the centre. */
export function tickPath(width, height) {
  const [x, y, dx, dy] = [width / 2, height / 2, width * 0.05, height * 0.05];
  return `M${x} 0V${dy}M${x} ${height}V${height - dy}M0 ${y}H${dx}M${width} ${y}H${width - dx}`;
}

/** Path data of a box from its corners. */
export function boxPath([x0, y0, x1, y1]) {
  return `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
}

/** Path data of what lies beyond the image in a picture of this size; "" where all of it is image. */
export function beyondPath(inside, width, height) {
  return inside ? boxPath([0, 0, width, height]) + boxPath(inside) : "";
}

/** Path data of a point: a line without length, whose round ends make a dot. */
export function dotPath(dot) {
  return dot ? `M${dot[0]} ${dot[1]}h0` : "";
}

/** Writes the layers into the overlay: {beyond, line, dot} as path data, on a view box [x, y, width, height]. */
export function drawOverlay(svg, box, { beyond = "", line = "", dot = "" }) {
  const layers = { beyond, "line under": line, "line over": line, "dot under": dot, "dot over": dot };
  svg.setAttribute("viewBox", box.join(" "));
  for (const [name, data] of Object.entries(layers)) {
    let path = svg.querySelector(`path[class="${name}"]`);
    if (!path) {
      path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      svg.append(path);
    }
    if (path.getAttribute("d") !== data) path.setAttribute("d", data);
  }
}
