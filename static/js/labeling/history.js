/* What was answered in this sitting, in order, and which of it is looked at again. Pure. */

/**
 * Entries are {crop, answer, classes, id, body, before}; `answer` is "skipped" for a crop that was put aside, `before`
 * is the entry as it was when an edit took its place.
 */
export class History {
  entries = [];
  place = null;

  /** The answered crop that is looked at again, or null. */
  get reviewed() {
    return this.place === null ? null : (this.entries[this.place] ?? null);
  }

  get last() {
    return this.entries.at(-1) ?? null;
  }

  /** Id of the answer that the next one supersedes; null where there is none. */
  replaced() {
    const entry = this.reviewed;
    return entry && entry.answer !== "skipped" ? entry.id : null;
  }

  /** An answer to the crop on screen: new at the end, or in place of the one that is looked at. */
  add(entry) {
    if (this.reviewed) this.entries[this.place] = { ...entry, before: this.reviewed };
    else this.entries.push(entry);
    this.place = null;
  }

  /** One step back; the entry, or null where there is none before. */
  back() {
    const place = (this.place ?? this.entries.length) - 1;
    if (place < 0) return null;
    this.place = place;
    return this.entries[place];
  }

  leave() {
    this.place = null;
  }

  /** Takes the newest entry off. */
  pop() {
    this.leave();
    return this.entries.pop() ?? null;
  }

  /** Shows the entry of this crop, where there is one. */
  goTo(crop) {
    const place = this.entries.findIndex((entry) => entry.crop.id === crop);
    this.place = place < 0 ? null : place;
    return this.reviewed;
  }

  /** An edit came to nothing: what stood before it stands, or nothing. */
  unmake(id) {
    for (const entry of this.entries) if (entry.before?.id === id) entry.before = entry.before.before;
    const entry = this.find(id);
    if (!entry?.before || entry.before.answer === "skipped") return this.remove(id);
    const { before } = entry;
    return Object.assign(entry, { before: undefined }, before);
  }

  find(id) {
    return this.entries.find((entry) => entry.id === id) ?? null;
  }

  remove(id) {
    const entry = this.find(id);
    const reviewed = this.reviewed;
    this.entries = this.entries.filter((one) => one !== entry);
    if (this.place !== null) this.place = reviewed === entry ? null : this.entries.indexOf(reviewed);
    return entry;
  }
}
