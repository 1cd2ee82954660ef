/* Guidelines and examples of the classes, drawn like the crops themselves. */

export class Guide {
  /** seen(number): the reader has this version of the guidelines before them. */
  constructor({ find, url, get, load, paint, classes, seen }) {
    Object.assign(this, { find, url, get, load, paint, classes, seen });
  }

  async open() {
    const sheet = this.find("guidelines-dialog");
    sheet.showModal();
    try {
      const { guideline, examples } = await this.get(this.url);
      // Who has closed the sheet did not see the new version.
      if (!sheet.open) return;
      this.write(guideline);
      this.draw(examples);
    } catch (error) {
      this.find("examples-note").textContent = `The examples cannot be shown: ${error.message}.`;
    }
  }

  write(guideline) {
    if (!guideline) return;
    const change = guideline.change ? `: ${guideline.change}` : "";
    this.find("guideline-version").textContent = `Version ${guideline.number}${change}`;
    this.find("guideline-text").textContent = guideline.text || "The lead has not written guidelines yet.";
    this.seen(guideline.number);
  }

  draw(examples) {
    this.find("examples-note").textContent = examples.length ? "" : "The lead has not chosen examples yet.";
    for (const holder of document.querySelectorAll("[data-examples]")) {
      const own = examples.filter((example) => example.class === holder.dataset.examples);
      holder.replaceChildren(...own.map((example) => this.figure(example)));
    }
  }

  figure({ crop, note, class: key }) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const words = document.createElement("figcaption");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `An example of ${this.classes.names.get(key) ?? key}`);
    words.textContent = note;
    figure.append(canvas, words);
    this.fetch(canvas, crop, words);
    return figure;
  }

  async fetch(canvas, crop, words) {
    try {
      this.paint(canvas, crop, await this.load(crop.pixels));
    } catch (error) {
      words.textContent = `cannot be shown: ${error.message}`;
    }
  }
}
