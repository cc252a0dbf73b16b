// <button data-theme-switch="light|dark|auto"> remembers the choice; theme.js applies it.
export function setupThemeSwitch() {
  const mark = () => {
    const choice = document.documentElement.getAttribute("data-theme-choice");
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeSwitch === choice));
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-switch]");
    if (!button) return;
    try {
      if (button.dataset.themeSwitch === "auto") localStorage.removeItem("fleet-theme");
      else localStorage.setItem("fleet-theme", button.dataset.themeSwitch);
    } catch {
      // Storage blocked: the system's choice stays.
    }
    window.dispatchEvent(new Event("fleet:theme"));
    mark();
  });
  mark();
}
