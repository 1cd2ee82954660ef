/* Time spent looking: the gaps between signs of life, long ones capped, and none while the page is hidden. */

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll"];

export class Attention {
  /** capMs: a longer gap counts as this; now: a clock that only goes forward. */
  constructor({ capMs, now = () => performance.now() }) {
    Object.assign(this, { capMs, now, total: 0, last: null, visible: true });
  }

  /** A new crop is on screen. */
  start() {
    this.total = 0;
    this.last = this.visible ? this.now() : null;
  }

  /** The person is here: what has passed since the last sign counts. */
  sign() {
    if (this.last === null) return;
    const now = this.now();
    this.total += Math.min(this.capMs, Math.max(0, now - this.last));
    this.last = now;
  }

  /** The page was hidden or shown again, or the reader pauses or goes on. */
  see(visible) {
    if (visible === this.visible) return;
    this.sign();
    this.visible = visible;
    this.last = visible ? this.now() : null;
  }

  /** Milliseconds on the crop so far. */
  ms() {
    this.sign();
    return Math.round(this.total);
  }

  /** Whether the page is seen and the last sign is no older than the cap. */
  isHere() {
    return this.last !== null && this.now() - this.last <= this.capMs;
  }

  /** Listens to a page for signs of life. */
  follow(page = document) {
    for (const name of SIGNS) page.addEventListener(name, () => this.sign(), { passive: true, capture: true });
    page.addEventListener("visibilitychange", () => this.see(page.visibilityState === "visible"));
  }
}
