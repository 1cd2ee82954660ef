/* What was typed and not sent yet: it outlives a change of page in this tab, and a crop that is drawn anew. */

const FIELDS = "textarea, input[type=text], select";
const TYPED = "textarea, input[type=text]";

/** What the server had put into the field. */
function baseOf(field) {
  if (field.options) return [...field.options].find((option) => option.defaultSelected)?.value ?? field.options[0]?.value;
  return field.defaultValue;
}

/** Those of the drafts whose field still holds what it held when they were begun: others were sent, or overtaken. */
export function standing(drafts, bases) {
  return Object.fromEntries(Object.entries(drafts).filter(([name, { base }]) => bases[name] === base));
}

/** Puts drafts of this page back into the form, and keeps whatever is typed from now on. */
export function keepDrafts(form, storage, name) {
  const fields = [...form.querySelectorAll(FIELDS)];
  const bases = Object.fromEntries(fields.map((field) => [field.name, baseOf(field)]));
  const drafts = standing(JSON.parse(storage.getItem(name) ?? "{}"), bases);
  const keep = () => storage.setItem(name, JSON.stringify(drafts));
  for (const field of fields) if (field.name in drafts) field.value = drafts[field.name].value;
  keep();
  form.addEventListener("input", ({ target }) => {
    drafts[target.name] = { base: bases[target.name], value: target.value };
    keep();
  });
}

/** What is typed below an element, by id of its field; the fields of the form `sent` are left out. */
export function typedIn(element, sent = null) {
  const fields = [...element.querySelectorAll(TYPED)].filter(({ form, value }) => value && form !== sent);
  return new Map(fields.map(({ id, value }) => [id, value]));
}

/** Puts back what `typedIn` found, and opens what it stands in. */
export function putBack(element, typed) {
  for (const field of element.querySelectorAll(TYPED)) {
    if (!typed.has(field.id)) continue;
    field.value = typed.get(field.id);
    const folded = field.closest("details");
    if (folded) folded.open = true;
  }
}
