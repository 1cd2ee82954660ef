/* How the channels are shown: what the reader changed, kept per experiment. Pure: knows no page. */

/** What is said when somebody tries to change a view that the study locks. */
export const LOCKED = "This study locks the view for everybody.";
export const MOST_EXPERIMENTS = 8;
const FIELDS = ["low", "high", "gamma"];

/** Short name of a text (FNV-1a, 32 bits), so that long lists of channels make short keys. */
function shortName(text) {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0;
  return hash.toString(36);
}

/**
 * Windows, gammas, colours and switches that differ from the server's. Windows and gammas hold for one experiment,
 * known by its channels and their windows; switches and colours hold for a channel's name. While `peeking`, and where
 * the study locks the view, all is as the server says.
 */
export class Windows {
  constructor({ kept = null, locked = false, changed = () => {} } = {}) {
    Object.assign(this, { locked, changed });
    this.peeking = false;
    this.restore(kept);
  }

  /** Takes over what was kept, as `plain` gave it. */
  restore(kept) {
    this.experiments = new Map(kept?.experiments ?? []);
    this.names = new Map(kept?.names ?? []);
    this.isInverted = Boolean(kept?.inverted);
  }

  /** What there is to keep, as JSON: the experiments that were changed last, and what holds for names. */
  plain() {
    return {
      experiments: [...this.experiments].slice(-MOST_EXPERIMENTS),
      names: [...this.names].slice(-64),
      inverted: this.isInverted,
    };
  }

  static key(channels) {
    return shortName(channels.map(({ name, low, high }) => `${name}|${low}|${high}`).join("/"));
  }

  state(channels) {
    return this.experiments.get(Windows.key(channels)) ?? { rows: {}, alone: null };
  }

  /** The channels as the server shows them. */
  static plainly(channels) {
    return channels.map((channel) => ({ ...channel, gamma: 1, on: channel.on ?? true }));
  }

  /** The reader's settings, before one channel is shown alone: [{name, color, low, high, gamma, on}]. */
  settings(channels) {
    if (this.peeking || this.locked) return Windows.plainly(channels);
    const { rows } = this.state(channels);
    return Windows.plainly(channels).map((channel, at) => ({ ...channel, ...this.names.get(channel.name), ...rows[at] }));
  }

  /** The channels as they are to be drawn. */
  shown(channels) {
    const alone = this.alone(channels);
    const rows = this.settings(channels);
    return alone === null ? rows : rows.map((row, at) => ({ ...row, on: at === alone, color: "#ffffff" }));
  }

  /** Place of the channel that is shown alone in grey; null in the composite. */
  alone(channels) {
    if (this.peeking || this.locked) return null;
    const { alone } = this.state(channels);
    return Number.isInteger(alone) && alone < channels.length ? alone : null;
  }

  get invert() {
    return this.isInverted && !this.peeking && !this.locked;
  }

  /** Changes low, high or gamma of one channel in this experiment. */
  change(channels, index, changes) {
    const { rows } = this.state(channels);
    const kept = Object.fromEntries(Object.entries(changes).filter(([name]) => FIELDS.includes(name)));
    this.set(channels, { rows: { ...rows, [index]: { ...rows[index], ...kept } } });
  }

  /** Shows one channel alone in grey, or all in colour again (null). */
  showAlone(channels, index) {
    this.set(channels, { alone: index });
  }

  /** Composite, then each channel alone, then the composite again. */
  cycle(channels, step = 1) {
    const places = channels.length + 1;
    const next = ((this.alone(channels) ?? -1) + 1 + step + places) % places;
    this.showAlone(channels, next ? next - 1 : null);
  }

  set(channels, changes) {
    const key = Windows.key(channels);
    const state = { ...this.state(channels), ...changes };
    // The newest is last, so that the oldest are let go.
    this.experiments.delete(key);
    this.experiments.set(key, state);
    this.changed();
  }

  isChanged(channels) {
    return !this.locked && Object.keys(this.state(channels).rows).length > 0;
  }

  /** Back to the server's windows, colours and switches for these channels. */
  reset(channels) {
    this.experiments.delete(Windows.key(channels));
    for (const { name } of channels) this.names.delete(name);
    this.isInverted = false;
    this.changed();
  }

  /** The reader's choice, else the server's: a channel that quality control faults starts switched off. */
  isOn({ name, on = true }) {
    return this.names.get(name)?.on ?? on;
  }

  toggle(channel) {
    this.name(channel, { on: !this.isOn(channel) });
  }

  recolor(channel, color) {
    this.name(channel, { color });
  }

  name({ name }, changes) {
    this.names.set(name, { ...this.names.get(name), ...changes });
    this.changed();
  }

  toggleInvert() {
    this.isInverted = !this.isInverted;
    this.changed();
  }
}

/** What is stored with an answer: one row a channel, as it was on screen. */
export function windowLog(channels) {
  return channels.map(({ low, high, gamma, on, color }) => ({ low, high, gamma, on, color }));
}
