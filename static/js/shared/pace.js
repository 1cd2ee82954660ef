/* From the key of an answer to the next crop on screen, in the browser's own timeline. */

const MARK = "answer-key";

export function markAnswer() {
  performance.mark(MARK);
}

/** The key answered nothing: there is nothing to measure. */
export function forgetAnswer() {
  performance.clearMarks(MARK);
}

/** The next crop is on screen; without an answer before it, nothing. */
export function measurePaint() {
  if (!performance.getEntriesByName(MARK).length) return;
  performance.measure("key-to-paint", MARK);
  performance.clearMarks(MARK);
}
