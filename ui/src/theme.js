// Sets light or dark before the first paint; loaded in <head>, so nothing flashes.
(() => {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("fleet-theme");
    } catch {
      return null; // storage blocked: follow the system
    }
  };
  const apply = () => {
    const choice = stored();
    const dark = choice ? choice === "dark" : media.matches;
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
    document.documentElement.setAttribute("data-theme-choice", choice || "auto");
  };
  apply();
  media.addEventListener("change", apply);
  window.addEventListener("storage", (event) => event.key === "fleet-theme" && apply());
  window.addEventListener("fleet:theme", apply);
})();
