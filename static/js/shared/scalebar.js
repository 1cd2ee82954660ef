/* How long a scale bar is. */

/** Longest of 1, 2, 5 x 10^n micrometres that fits into the share of the width; null when the scale is unknown. */
export function scaleBar(umPerPx, widthPx, share = 0.3) {
  if (!(umPerPx > 0) || !(widthPx > 0)) return null;
  const room = umPerPx * widthPx * share;
  const power = 10 ** Math.floor(Math.log10(room));
  const um = [5, 2, 1].map((step) => step * power).find((length) => length <= room * (1 + 1e-9)) ?? power;
  return { um, fraction: um / (umPerPx * widthPx), label: label(um) };
}

function label(um) {
  if (um >= 1000) return `${Number((um / 1000).toPrecision(3))} mm`;
  if (um < 1) return `${Number((um * 1000).toPrecision(3))} nm`;
  return `${Number(um.toPrecision(3))} µm`;
}
