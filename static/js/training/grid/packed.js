/* Reads arrays that come in one reply: length of the header, header in JSON, then the bytes of each array. */

const TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, float32: Float32Array, float64: Float64Array,
};

/** {meta, blocks: [{dtype, shape, data}]}; refuses what is shorter than it says. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  if (buffer.byteLength < 4 + length) throw new Error(`the reply of ${buffer.byteLength} bytes ends in its header`);
  const { meta, blocks } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  return { meta, blocks: blocks.map(([dtype, shape, offset]) => ({ dtype, shape, data: view(buffer, dtype, shape, start + offset) })) };
}

function view(buffer, dtype, shape, at) {
  const Type = TYPES[dtype];
  if (!Type) throw new Error(`arrays of type ${dtype} cannot be read`);
  return new Type(buffer, at, shape.reduce((product, side) => product * side, 1));
}
