/* Which crop comes next, when the server sends a newer order. Pure. */

/**
 * The queue after a reply: the first `keep` crops stay, because their pixels are here and the eye expects no wait;
 * then the new order; then what was there before. Crops in `exclude` (ids) were answered and have to go.
 */
export function mergeQueue(queue, incoming, { keep = 2, exclude = new Set(), limit = 24 } = {}) {
  const open = queue.filter(({ id }) => !exclude.has(id));
  const seen = new Set();
  const merged = [];
  for (const crop of [...open.slice(0, keep), ...incoming, ...open.slice(keep)]) {
    if (seen.has(crop.id) || exclude.has(crop.id)) continue;
    seen.add(crop.id);
    merged.push(crop);
  }
  return merged.slice(0, limit);
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
