/* What the model would say of the crop, where the study lets readers see it: dashed, with its number, never a label. */

/** "62 % · model 0f3a". */
export function suggestionDetail({ probability, model }) {
  return `${Math.round(100 * probability)} % · model ${model.slice(0, 4)}`;
}

export class SuggestionChip {
  constructor({ find, classes }) {
    Object.assign(this, { find, classes, offered: null });
    this.chip = find("suggestion");
  }

  show(crop) {
    const suggestion = crop?.suggestion;
    this.offered = suggestion && this.classes.isOpen(suggestion.class) ? suggestion : null;
    this.chip.hidden = !this.offered;
    for (const button of this.classes.buttons) button.classList.toggle("suggested", button.dataset.class === this.offered?.class);
    if (!this.offered) return;
    this.find("suggestion-name").textContent = this.classes.names.get(this.offered.class);
    this.find("suggestion-detail").textContent = suggestionDetail(this.offered);
  }
}
