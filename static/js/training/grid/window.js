/* Where the tiles of a page lie, and which of them are worth having in the document. */

const GAP = 8;
const FEWEST_COLUMNS = 2;

/** {columns, tile, gap, row, height, count}: tiles of about `size` px fill the width, at least two side by side. */
export function layoutOf({ width, size, count, caption = 20, gap = GAP }) {
  const columns = Math.max(FEWEST_COLUMNS, Math.floor((width + gap) / (size + gap)));
  const tile = Math.max(16, Math.floor((width - gap * (columns - 1)) / columns));
  const row = tile + caption + gap;
  return { columns, tile, gap, row, count, height: Math.max(0, Math.ceil(count / columns) * row - gap) };
}

/** {left, top} of a tile. */
export function placeOf({ columns, tile, gap, row }, place) {
  return { left: (place % columns) * (tile + gap), top: Math.floor(place / columns) * row };
}

/** [first, end) of the tiles that a window shows, with so many rows more on both sides. */
export function shownPlaces({ columns, row, count }, scrollTop, height, spare = 2) {
  const first = Math.max(0, Math.floor(scrollTop / row) - spare) * columns;
  const end = (Math.ceil((scrollTop + height) / row) + spare) * columns;
  return [Math.min(first, count), Math.min(Math.max(end, 0), count)];
}

/** Places of the tiles that a box {left, top, right, bottom} touches. */
export function placesIn(layout, box) {
  const { columns, tile, gap, row, count } = layout;
  const step = tile + gap;
  const from = Math.max(0, Math.ceil((box.left - tile) / step));
  const to = Math.min(columns - 1, Math.floor(box.right / step));
  const top = Math.max(0, Math.ceil((box.top - (row - gap)) / row));
  const bottom = Math.floor(box.bottom / row);
  const found = [];
  for (let line = top; line <= bottom && line * columns < count; line += 1) {
    for (let column = from; column <= to; column += 1) {
      const place = line * columns + column;
      if (place < count) found.push(place);
    }
  }
  return found;
}

/** How far to scroll so that the tile is in sight; the same where it is. */
export function scrolledTo(layout, place, scrollTop, height) {
  const { top } = placeOf(layout, place);
  const bottom = top + layout.row - layout.gap;
  if (top < scrollTop) return top;
  return bottom > scrollTop + height ? bottom - height : scrollTop;
}
