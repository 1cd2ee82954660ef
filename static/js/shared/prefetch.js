/* A pool of decoded images, loaded ahead in the order in which they will be wanted. */

export class Prefetch {
  /** load(key) -> Promise of an image; arrived(key) is called when one is there or has failed. */
  constructor(load, { parallel = 4, arrived = () => {} } = {}) {
    Object.assign(this, { load, parallel, arrived });
    this.images = new Map();
    this.problems = new Map();
    this.loading = new Set();
    this.wanted = [];
  }

  get(key) {
    return this.images.get(key) ?? null;
  }

  problem(key) {
    return this.problems.get(key) ?? null;
  }

  /** These keys, most urgent first; everything else is let go. */
  want(keys) {
    this.wanted = [...new Set(keys)];
    const keep = new Set(this.wanted);
    for (const map of [this.images, this.problems]) {
      for (const key of map.keys()) if (!keep.has(key)) map.delete(key);
    }
    this.pump();
  }

  /** Forgets the failures that may pass (test(error) is true), so that their images are asked for again. */
  retry(test) {
    for (const [key, error] of this.problems) if (test(error)) this.problems.delete(key);
    this.pump();
  }

  pump() {
    for (const key of this.wanted) {
      if (this.loading.size >= this.parallel) return;
      if (!this.images.has(key) && !this.problems.has(key) && !this.loading.has(key)) this.fetch(key);
    }
  }

  async fetch(key) {
    this.loading.add(key);
    try {
      const image = await this.load(key);
      if (this.wanted.includes(key)) this.images.set(key, image);
    } catch (error) {
      if (this.wanted.includes(key)) this.problems.set(key, error);
    } finally {
      this.loading.delete(key);
    }
    this.arrived(key);
    this.pump();
  }
}
