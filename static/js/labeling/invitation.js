/* The page of people: copies a fresh invitation link. */
const button = document.querySelector("[data-copy]");

async function copy() {
  const field = document.getElementById(button.dataset.copy);
  const said = document.getElementById("copied");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    said.textContent = "copied";
  } catch {
    // Without HTTPS a browser lends no clipboard: the link is selected, ready for the keyboard.
    said.textContent = "selected: copy it with the keyboard";
  }
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", copy);
}
