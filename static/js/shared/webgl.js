/* WebGL2 renderer: the same picture as render.js, computed on the graphics card from one float texture per image. */
import { channelTable } from "./render.js";

const MOST_CHANNELS = 16;
const DARKEST = -3e38;

const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DArray;
uniform sampler2DArray image;
uniform int count;
uniform int height;
uniform vec3 colors[${MOST_CHANNELS}];
uniform vec3 windows[${MOST_CHANNELS}];
uniform bool inverted;
out vec4 shade;
void main() {
  ivec2 at = ivec2(int(gl_FragCoord.x), height - 1 - int(gl_FragCoord.y));
  vec3 sum = vec3(0.0);
  for (int channel = 0; channel < count; channel++) {
    float light = (texelFetch(image, ivec3(at, channel), 0).r - windows[channel].x) * windows[channel].y;
    light = clamp(light, 0.0, 1.0);
    if (windows[channel].z != 1.0 && light > 0.0) light = pow(light, windows[channel].z);
    sum += light * colors[channel];
  }
  sum = min(sum, vec3(1.0));
  shade = vec4(inverted ? vec3(1.0) - sum : sum, 1.0);
}`;

function compile(gl, type, source) {
  const shader = gl.createShader(type);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

function link(gl) {
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

/** The values with black for what is no finite number: what a card makes of those is its own affair. */
function finite(values) {
  return values.every(Number.isFinite) ? values : values.map((value) => (Number.isFinite(value) ? value : DARKEST));
}

function upload(gl, { pixels, shape: [channels, height, width] }) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, side, gl.NEAREST);
  }
  const values = pixels instanceof Float32Array ? finite(pixels) : Float32Array.from(pixels);
  gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, gl.R32F, width, height, channels, 0, gl.RED, gl.FLOAT, values);
  return texture;
}

function uniformPlaces(gl, program) {
  const names = ["count", "height", "inverted", "colors", "windows"];
  return Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
}

function setUniforms(gl, places, table, height, invert) {
  gl.uniform1i(places.count, table.length);
  gl.uniform1i(places.height, height);
  gl.uniform1i(places.inverted, invert ? 1 : 0);
  gl.uniform3fv(places.colors, table.flatMap(({ color }) => color));
  gl.uniform3fv(places.windows, table.flatMap(({ low, factor, gamma }) => [low, factor, gamma]));
}

/** Textures of the images drawn last, so that moving a slider uploads nothing. */
class Textures {
  constructor(gl, most = 10) {
    Object.assign(this, { gl, most });
    this.kept = new Map();
  }

  bind(image) {
    const texture = this.kept.get(image) ?? upload(this.gl, image);
    this.gl.bindTexture(this.gl.TEXTURE_2D_ARRAY, texture);
    this.kept.delete(image);
    this.kept.set(image, texture);
    if (this.kept.size <= this.most) return;
    const [oldest] = this.kept.keys();
    this.gl.deleteTexture(this.kept.get(oldest));
    this.kept.delete(oldest);
  }
}

/**
 * A function draw(image, channels, options) -> canvas with the picture, or null when this card cannot; the canvas is
 * used again by the next call. Null where WebGL2 is not to be had.
 */
export function createGlRenderer(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false });
  const program = gl && link(gl);
  if (!program) return null;
  gl.useProgram(program);
  gl.bindVertexArray(gl.createVertexArray());
  const textures = new Textures(gl);
  const places = uniformPlaces(gl, program);
  const most = Math.min(4096, gl.getParameter(gl.MAX_TEXTURE_SIZE));

  return function draw(image, channels, options) {
    const [count, height, width] = image.shape;
    if (gl.isContextLost() || count > MOST_CHANNELS || Math.max(width, height) > most) return null;
    textures.bind(image);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    setUniforms(gl, places, channelTable(channels, image.shape, options), height, options.invert);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return canvas;
  };
}
