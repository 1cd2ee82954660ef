/* A reader's pause: it holds on this page until they go on, and is told to the server until the server knows. */
import { mayPass } from "../shared/api.js";

export class Pause {
  isOn = false;
  known = false; // What the server knows; null where nobody can tell.
  turns = 0; // How often it changed: what was asked before says nothing of now.
  telling = false;
  last = Promise.resolve();

  /** tell(isOn) sends it; refused(isOn) is called where the server will not hear of it. */
  constructor({ tell, refused }) {
    Object.assign(this, { tell, refused });
  }

  get isKnown() {
    return this.known === this.isOn;
  }

  /** Nobody is telling the server, although it does not know. */
  get isDue() {
    return !this.isKnown && !this.telling;
  }

  /** Resolves when the server knows, or cannot be reached. */
  set(isOn) {
    if (isOn !== this.isOn) this.turns += 1;
    this.isOn = isOn;
    return this.settle();
  }

  /** The server says so itself: the reader paused on another page. */
  adopt() {
    this.turns += 1;
    this.isOn = this.known = true;
  }

  settle() {
    this.last = this.last.then(() => this.isKnown || this.tellOnce());
    return this.last;
  }

  async tellOnce() {
    const { isOn } = this;
    // A reply that does not come may have been on its way.
    Object.assign(this, { known: null, telling: true });
    try {
      await this.tell(isOn);
      this.known = isOn;
    } catch (error) {
      if (mayPass(error)) return;
      this.refused(isOn);
      this.known = isOn;
    } finally {
      this.telling = false;
    }
  }
}
