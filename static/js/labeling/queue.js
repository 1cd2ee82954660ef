/* Which crop comes next, when the server sends a newer order. Pure. */

const BYTES = { uint8: 1, int8: 1, uint16: 2, int16: 2, float64: 8 };

/**
 * The queue after a reply: the newest order, except that the first `keep` crops stay in front when they are still
 * offered, because their pixels are here and the eye expects no wait. What the server no longer offers is read by
 * somebody else; crops in `exclude` (ids) were answered and have to go.
 */
export function mergeQueue(queue, incoming, { keep = 2, exclude = new Set() } = {}) {
  const offered = new Map(incoming.filter(({ id }) => !exclude.has(id)).map((crop) => [crop.id, crop]));
  const front = queue.slice(0, keep).filter(({ id }) => offered.has(id));
  for (const { id } of front) offered.delete(id);
  return [...front, ...offered.values()];
}

/** Addresses to hold in memory, most urgent first: the crop on screen, what follows, and what undo would bring back. */
export function wantedImages(current, queue, history, { ahead = 12, contexts = 3, behind = 4 } = {}) {
  const next = queue.slice(0, ahead);
  const back = history.slice(-behind).reverse().map(({ crop }) => crop);
  const near = [current, ...next.slice(0, contexts)].filter(Boolean);
  return [
    ...near.slice(0, 1).flatMap(({ pixels, context }) => [pixels, context]),
    ...next.slice(0, contexts).map(({ pixels }) => pixels),
    ...back.map(({ pixels }) => pixels),
    ...near.slice(1).map(({ context }) => context),
    ...next.slice(contexts).map(({ pixels }) => pixels),
    ...back.slice(0, 1).map(({ context }) => context),
  ].filter(Boolean);
}

/** Bytes that the raw pixels of a crop take. */
export function bytesOf({ shape, dtype }) {
  return (shape ?? []).reduce((product, side) => product * side, BYTES[dtype] ?? 4);
}

/** Addresses of raw pixels to keep for the time of a broken line: as many of the crops, in order, as `budget` bytes hold. */
export function provisions(crops, budget) {
  let left = budget;
  const kept = [];
  for (const crop of crops) {
    left -= bytesOf(crop);
    if (left < 0) break;
    kept.push(crop.pixels);
  }
  return kept;
}
