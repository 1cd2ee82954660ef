/* Zoom and pan of a square picture in a frame. Pure: views in, views out. */

/** The whole picture. A view is {zoom, x, y}: how much larger, and which point (0..1 of the picture) is in the middle. */
export const WHOLE = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });
export const MOST_ZOOM = 16;
/** A pointer that moves less is a click (pixels): pens and touch screens are never quite still. */
export const CLICK_PX = 4;

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** The view with its zoom between 1 and MOST_ZOOM, and no part of the frame beyond the picture. */
export function clamped({ zoom, x, y }) {
  const held = clamp(zoom, 1, MOST_ZOOM);
  const margin = 0.5 / held;
  return { zoom: held, x: clamp(x, margin, 1 - margin), y: clamp(y, margin, 1 - margin) };
}

/** Point of the picture (0..1) that lies at this point of the frame (0..1). */
export function pointAt(view, [across, down]) {
  return [view.x + (across - 0.5) / view.zoom, view.y + (down - 0.5) / view.zoom];
}

/** Zoomed by the factor; what lies under the point of the frame (0..1) stays there as far as the borders allow. */
export function zoomedAt(view, factor, point = [0.5, 0.5]) {
  const zoom = clamp(view.zoom * factor, 1, MOST_ZOOM);
  const [x, y] = pointAt(view, point);
  return clamped({ zoom, x: x - (point[0] - 0.5) / zoom, y: y - (point[1] - 0.5) / zoom });
}

/** Moved with a hand that drags the picture by this share of the frame. */
export function panned(view, across, down) {
  return clamped({ zoom: view.zoom, x: view.x - across / view.zoom, y: view.y - down / view.zoom });
}

/** [x, y, width, height] of what the frame shows of a picture with these sides: the view box of its outline. */
export function visibleBox(view, width, height) {
  return [(view.x - 0.5 / view.zoom) * width, (view.y - 0.5 / view.zoom) * height, width / view.zoom, height / view.zoom];
}

/** CSS transform, origin at the top left, of a picture that fills the frame at zoom 1. */
export function transformOf({ zoom, x, y }) {
  return `translate(${50 - 100 * x * zoom}%, ${50 - 100 * y * zoom}%) scale(${zoom})`;
}

/** One turn of a wheel as a factor; a line counts as 16 pixels, a page as 400. */
export function wheelFactor({ deltaY, deltaMode = 0 }) {
  const pixels = deltaY * [1, 16, 400][deltaMode];
  return 2 ** clamp(-pixels / 240, -1, 1);
}
