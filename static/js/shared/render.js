/* From raw pixels to what the eye sees. Pure: arrays in, bytes out. The WebGL painter computes the same. */

/** [red, green, blue] in 0..1 from "#rrggbb". */
export function parseColor(hex) {
  const value = /^#([0-9a-f]{6})$/i.exec(hex ?? "");
  if (!value) return [1, 1, 1];
  const number = parseInt(value[1], 16);
  return [(number >> 16) / 255, ((number >> 8) & 255) / 255, (number & 255) / 255];
}

/**
 * What every painter needs to know of the channels: colour (black when off), low end, factor to 0..1, and gamma: light
 * between the ends is raised to its power, so that below 1 dim parts get brighter (as in ImageJ and napari).
 * A colour photograph (isRgb) is shown as it is: its three planes are red, green and blue over the full range.
 */
export function channelTable(channels, shape, { isRgb = false, dtype = "uint16" } = {}) {
  if (isRgb) {
    const full = dtype === "uint8" ? 255 : dtype === "uint16" ? 65535 : 1;
    return [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((color) => ({ color, low: 0, factor: 1 / full, gamma: 1 }));
  }
  return Array.from({ length: shape[0] }, (_, index) => {
    const { color, low = 0, high = 1, gamma = 1, on = true } = channels[index] ?? {};
    const factor = 1 / (high > low ? high - low : 1);
    return { color: on ? parseColor(color) : [0, 0, 0], low, factor, gamma: gamma > 0 ? gamma : 1 };
  });
}

/** Light in 0..1 of one pixel value; what is no finite number is black. */
export function lightOf(value, { low, factor, gamma }) {
  const light = (value - low) * factor;
  // Written so that NaN is black too.
  if (!(light > 0) || value === Infinity) return 0;
  const clipped = Math.min(1, light);
  return gamma === 1 ? clipped : clipped ** gamma;
}

/** RGBA bytes (height, width, 4): each channel stretched from low..high, coloured, and added up. */
export function renderRGBA(pixels, shape, channels, options = {}) {
  const [, height, width] = shape;
  const size = height * width;
  const sum = new Float32Array(size * 3);
  channelTable(channels, shape, options).forEach((row, index) => {
    const [red, green, blue] = row.color;
    if (red + green + blue > 0) addLight(sum, pixels.subarray(index * size, (index + 1) * size), row);
  });
  return toBytes(sum, size, options.invert);
}

function addLight(sum, pixels, row) {
  const [red, green, blue] = row.color;
  for (let at = 0, band = 0; at < pixels.length; at += 1, band += 3) {
    const light = lightOf(pixels[at], row);
    if (light === 0) continue;
    sum[band] += light * red;
    sum[band + 1] += light * green;
    sum[band + 2] += light * blue;
  }
}

/** The bytes round and end at 255 by themselves. */
function toBytes(sum, size, invert) {
  const rgba = new Uint8ClampedArray(size * 4).fill(255);
  const [start, sign] = invert ? [255, -255] : [0, 255];
  for (let at = 0, band = 0; at < rgba.length; at += 4, band += 3) {
    rgba[at] = start + sign * sum[band];
    rgba[at + 1] = start + sign * sum[band + 1];
    rgba[at + 2] = start + sign * sum[band + 2];
  }
  return rgba;
}
