/* On small screens crop, surroundings and channels share one place. */

export function bindTabs() {
  const tabs = [...document.querySelectorAll(".room-tabs [data-tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      document.querySelector(".room-body").dataset.tab = tab.dataset.tab;
      for (const other of tabs) other.setAttribute("aria-pressed", String(other === tab));
    });
  }
}
