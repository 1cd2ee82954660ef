/* Which points lie inside a drawn outline. */

const MOST_CORNERS = 150;

/** Whether a point lies inside the polygon [[x, y], ...], even-odd rule. */
export function isInside(x, y, polygon) {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at, at += 1) {
    const [x0, y0] = polygon[at];
    const [x1, y1] = polygon[before];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}

/** Places of the points (x0, y0, x1, y1, ...) inside the polygon; none where it has fewer than three corners. */
export function placesInside(points, polygon) {
  if (polygon.length < 3) return [];
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  const found = [];
  for (let at = 0; at < points.length / 2; at += 1) {
    const x = points[2 * at];
    const y = points[2 * at + 1];
    const isNear = x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
    if (isNear && isInside(x, y, polygon)) found.push(at);
  }
  return found;
}

/** At most 150 corners, evenly taken: what a request carries. */
export function thinned(polygon, most = MOST_CORNERS) {
  if (polygon.length <= most) return polygon;
  return Array.from({ length: most }, (_, at) => polygon[Math.floor((at * polygon.length) / most)]);
}

/** The polygon as the server reads it: "x,y x,y ...", four digits. */
export function asText(polygon) {
  return thinned(polygon).map(([x, y]) => `${x.toFixed(4)},${y.toFixed(4)}`).join(" ");
}
