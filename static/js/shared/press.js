/* One press, one answer: also with a trembling stylus, and with a finger that clicks twice. */

const STILL_PX = 4;
const TWICE_MS = 300;

/** Whether a pointer that went from one place to another stayed still enough for a click. */
export function isStill(from, to) {
  return Math.hypot(to.x - from.x, to.y - from.y) < STILL_PX;
}

/** Calls job(event) for a press on the element. A drag under 4 px is one; the second click of a double click is none. */
export function onPress(element, job, now = () => performance.now()) {
  let from = null;
  let last = -Infinity;

  function press(event) {
    const isSecond = event.type !== "click" || event.detail > 0 ? now() - last < TWICE_MS : false;
    last = now();
    if (!isSecond) job(event);
  }

  element.addEventListener("pointerdown", ({ clientX, clientY, isPrimary, button }) => {
    from = isPrimary && button === 0 ? { x: clientX, y: clientY } : null;
  });
  // A press that slips over the edge by a hair gives no click; it is heard where it ends.
  document.addEventListener("pointerup", (event) => {
    const slipped = from && !element.contains(event.target) && isStill(from, { x: event.clientX, y: event.clientY });
    from = null;
    if (slipped) press(event);
  });
  element.addEventListener("click", press);
}

/**
 * Leaves the focus on `home` when a pointer presses a button in it: on the button it would be, Space and Enter would
 * press that button again. Fields and sliders take it, as their keys are wanted next; sheets lie outside.
 */
export function keepFocus(home) {
  home.addEventListener("mousedown", (event) => {
    if (event.target.closest("input, textarea, select") || !event.target.closest("button, a, summary")) return;
    event.preventDefault();
    home.focus({ preventScroll: true });
  });
}
