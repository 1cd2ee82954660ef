/* Ready-made values for the controls of a form, and what they change. */

/** Names of the controls whose value differs from the given one; `held` is {name: {value, checked, type}}. */
export function changedNames(held, values) {
  return Object.entries(values)
    .filter(([name, value]) => held[name] && (held[name].type === "checkbox" ? held[name].checked !== value : held[name].value !== String(value)))
    .map(([name]) => name);
}

/** Puts a value into a control. */
export function setControl(control, value) {
  if (control.type === "checkbox") control.checked = Boolean(value);
  else control.value = String(value);
}
