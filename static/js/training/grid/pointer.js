/* Mouse, touch and pen on the tiles: click, rubber band, long press, double click, hold still. */

const DRAG_PX = 4;
const LONG_PRESS_MS = 450;
const HOLD_MS = 900;

function boxOf(from, to) {
  return {
    left: Math.min(from.x, to.x), right: Math.max(from.x, to.x), top: Math.min(from.y, to.y), bottom: Math.max(from.y, to.y),
  };
}

/** on: {click(place, keys), band(box, keys, phase), press(place), open(place), context(place, point), hold(place, point), leave()}. */
export function bindPointer(holder, tiles, on) {
  let start = null;
  let banding = false;
  let pressed = null;
  let still = null;
  let touch = false;

  function stop() {
    clearTimeout(pressed);
    clearTimeout(still);
  }

  holder.addEventListener("pointerdown", (event) => {
    touch = event.pointerType === "touch";
    if (event.button !== 0) return;
    start = { x: event.clientX, y: event.clientY, place: tiles.placeAt(event.target), more: event.ctrlKey || event.metaKey || event.shiftKey };
    banding = false;
    stop();
    if (touch && start.place !== null) pressed = setTimeout(() => { on.press(start.place); start = null; }, LONG_PRESS_MS);
  });
  holder.addEventListener("pointermove", (event) => {
    const point = { x: event.clientX, y: event.clientY };
    if (!start) return hover(event, point);
    if (!banding && Math.hypot(point.x - start.x, point.y - start.y) < DRAG_PX) return;
    stop();
    if (touch) return void (start = null); // A finger that moves scrolls.
    if (!banding) holder.setPointerCapture(event.pointerId);
    on.band(boxOf(start, point), start.more, banding ? "go on" : "begin");
    banding = true;
  });
  holder.addEventListener("pointerup", (event) => {
    stop();
    if (start && banding) on.band(boxOf(start, { x: event.clientX, y: event.clientY }), start.more, "end");
    else if (start && start.place !== null) {
      on.click(start.place, { shift: event.shiftKey, more: event.ctrlKey || event.metaKey, touch });
    }
    start = null;
    banding = false;
  });
  holder.addEventListener("pointercancel", () => { stop(); start = null; banding = false; });
  holder.addEventListener("pointerleave", () => { stop(); on.leave(); });
  holder.addEventListener("dblclick", (event) => {
    const place = tiles.placeAt(event.target);
    if (place !== null && !touch) on.open(place);
  });
  holder.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    if (touch) return;
    on.context(tiles.placeAt(event.target), { x: event.clientX, y: event.clientY });
  });

  function hover(event, point) {
    if (event.pointerType !== "mouse") return;
    stop();
    on.leave();
    const place = tiles.placeAt(event.target);
    if (place !== null) still = setTimeout(() => on.hold(place, point), HOLD_MS);
  }
}
