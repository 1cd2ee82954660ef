/* Theme: auto, light or dark. A classic script in the head, so that the stored choice is set before the first paint. */
(() => {
  const KEY = "parfocal.theme";
  const CHOICES = ["auto", "light", "dark"];
  const root = document.documentElement;

  function stored() {
    try {
      const choice = localStorage.getItem(KEY);
      return CHOICES.includes(choice) ? choice : "auto";
    } catch {
      return "auto"; // Storage may be switched off: the page then follows the system.
    }
  }

  function apply(choice) {
    if (choice === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", choice);
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.querySelector("[data-theme-name]").textContent = choice;
    }
  }

  function next() {
    const now = root.getAttribute("data-theme") ?? "auto";
    const choice = CHOICES[(CHOICES.indexOf(now) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      /* The choice then lasts for this page only. */
    }
    apply(choice);
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    apply(stored());
    for (const button of document.querySelectorAll("[data-theme-toggle]")) button.addEventListener("click", next);
  });
})();
