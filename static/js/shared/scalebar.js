/* How long a scale bar is. */

/** Longest of 1, 2, 5 x 10^n micrometres that fits into the share of the width; null when the scale is unknown. */
export function scaleBar(umPerPx, widthPx, share = 0.3) {
  if (!(umPerPx > 0) || !(widthPx > 0)) return null;
  const room = umPerPx * widthPx * share;
  const power = 10 ** Math.floor(Math.log10(room));
  const um = [5, 2, 1].map((step) => step * power).find((length) => length <= room * (1 + 1e-9)) ?? power;
  return { um, fraction: um / (umPerPx * widthPx), label: label(um) };
}

/**
 * Magnification of the objective that a slide shown at this scale would be called by: "40x" is 0.25 µm a pixel, as slide
 * scanners use it (Sellaro et al., J Pathol Inform 2013, 4:21: 20x is 0.5 and 40x 0.25 µm a pixel), so it is 10 µm over
 * the µm that one CSS pixel covers. Null when the scale is unknown.
 */
export function objective(umPerPx) {
  return umPerPx > 0 && Number.isFinite(umPerPx) ? 10 / umPerPx : null;
}

/** "≈ 40x at this zoom", with two figures; "" when the scale is unknown. */
export function objectiveText(umPerPx) {
  const power = objective(umPerPx);
  return power === null ? "" : `≈ ${Number(power.toPrecision(2))}x at this zoom`;
}

function label(um) {
  if (um >= 1000) return `${Number((um / 1000).toPrecision(3))} mm`;
  if (um < 1) return `${Number((um * 1000).toPrecision(3))} nm`;
  return `${Number(um.toPrecision(3))} µm`;
}
