/* Raw pixels as the server sends them: little-endian, in the order channel, height, width. */

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const CEILING = { uint8: 255, uint16: 65535, float32: Infinity };

/** Typed array over the bytes; refuses what does not have the announced size. */
export function decodePixels(buffer, dtype, shape) {
  const Type = TYPES[dtype];
  if (!Type) throw new Error(`pixels of type ${dtype} cannot be shown; uint8, uint16 and float32 can`);
  const count = shape.reduce((product, side) => product * side, 1);
  if (buffer.byteLength !== count * Type.BYTES_PER_ELEMENT) {
    throw new Error(`${buffer.byteLength} bytes came for ${shape.join(" x ")} pixels of type ${dtype}`);
  }
  return new Type(buffer);
}

/** Shape from the header X-Shape: "c,h,w". */
export function parseShape(text) {
  const shape = String(text ?? "").split(",").map(Number);
  if (shape.length !== 3 || shape.some((side) => !Number.isInteger(side) || side < 1)) {
    throw new Error(`the shape "${text}" is not channel,height,width`);
  }
  return shape;
}

/** One channel's plane, without copying. */
export function plane(pixels, [, height, width], channel) {
  return pixels.subarray(channel * height * width, (channel + 1) * height * width);
}

/** Value below which the given share of the finite pixels lies (nearest rank); 0 where there is none. */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  if (!sorted.length) return 0;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
}

/** Display window that fits this plane alone: 0.5 to 99.8 %, never empty. */
export function fittedWindow(values) {
  const low = percentile(values, 0.005);
  const high = percentile(values, 0.998);
  return high > low ? { low, high } : { low, high: low + 1 };
}

/** Ends of the sliders: the window with room on both sides, inside what the type can hold. */
export function sliderRange({ low, high }, dtype) {
  const span = Math.max(high - low, Number.EPSILON);
  const floor = dtype === "float32" ? -Infinity : 0;
  const min = Math.max(floor, low - span);
  const max = Math.min(CEILING[dtype] ?? Infinity, high + 2 * span);
  const step = dtype === "float32" ? (max - min) / 500 : Math.max(1, Math.round((max - min) / 500));
  return { min, max, step };
}

/** Counts of the values in equal bins from min to max; what lies outside falls into the outermost bin, what is no finite number into none. */
export function histogram(values, min, max, bins = 48) {
  const counts = new Uint32Array(bins);
  const scale = bins / (max - min || 1);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bin = Math.floor((value - min) * scale);
    counts[Math.min(bins - 1, Math.max(0, bin))] += 1;
  }
  return counts;
}

/** SVG path of a histogram in a box of the given size; square root heights, so that rare bright pixels show. */
export function histogramPath(counts, width, height) {
  const top = Math.sqrt(Math.max(...counts, 1));
  const step = width / counts.length;
  let path = `M0 ${height}`;
  counts.forEach((count, bin) => {
    const y = (height - (height * Math.sqrt(count)) / top).toFixed(1);
    path += `V${y}H${((bin + 1) * step).toFixed(1)}`;
  });
  return `${path}V${height}Z`;
}
