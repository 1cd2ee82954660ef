/* The controls above the grid: what is asked for, as a request and in the address of the page. */

const KEPT = ["sort", "label", "reverse", "state", "reader", "predicted", "given", "experiment", "count"];

export class Controls {
  constructor(form, changed) {
    Object.assign(this, { form, changed });
    this.pin = null;
    this.lasso = null;
    this.start = 0;
    this.ranking = "";
    this.fill(new URLSearchParams(location.search));
    form.addEventListener("change", (event) => {
      if (event.target.name === "size") return;
      this.anew();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  field(name) {
    return this.form.elements.namedItem(name);
  }

  value(name) {
    const field = this.field(name);
    if (!field) return "";
    return field.type === "checkbox" ? (field.checked ? "true" : "") : field.value;
  }

  set(name, value) {
    const field = this.field(name);
    if (!field) return;
    if (field.type === "checkbox") field.checked = value === "true" || value === true;
    else if ([...(field.options ?? [{ value }])].some((option) => option.value === String(value))) field.value = value;
  }

  fill(given) {
    for (const name of KEPT) if (given.has(name)) this.set(name, given.get(name));
  }

  /** From the first page on, of the newest ranking. */
  anew() {
    this.start = 0;
    this.ranking = "";
    this.syncAddress();
    this.changed();
  }

  query() {
    const asked = new URLSearchParams();
    for (const name of KEPT) if (this.value(name)) asked.set(name, this.value(name));
    if (this.value("sort") !== "probability") asked.delete("label");
    if (this.pin) asked.set("pin", this.pin);
    if (this.lasso) {
      asked.set("lasso", this.lasso.text);
      asked.set("layout", this.lasso.layout);
    }
    if (this.ranking) asked.set("ranking", this.ranking);
    asked.set("start", this.start);
    return asked;
  }

  /** The choices stand in the address, so that it can be kept and sent. */
  syncAddress() {
    const kept = this.query();
    for (const name of ["start", "ranking", "lasso", "layout", "pin"]) kept.delete(name);
    history.replaceState(null, "", `${location.pathname}?${kept}`);
  }
}
