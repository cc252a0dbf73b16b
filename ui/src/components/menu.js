// <details data-menu> as a drop-down: closes on a click elsewhere and on Escape, arrows move inside.
// <button data-toggle="id" aria-expanded> shows and hides a part of the frame on small screens; Escape hides it.
function closeToggled() {
  const toggle = document.querySelector('[data-toggle][aria-expanded="true"]');
  if (!toggle) return;
  document.getElementById(toggle.dataset.toggle).classList.remove("open");
  toggle.setAttribute("aria-expanded", "false");
  toggle.focus();
}

export function setupMenus() {
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggle]");
    if (toggle) {
      const open = document.getElementById(toggle.dataset.toggle).classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details[data-menu][open]");
    if (!menu) {
      if (event.key === "Escape") closeToggled();
      return;
    }
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const items = [...menu.querySelectorAll("a,button")];
      const step = event.key === "ArrowDown" ? 1 : -1;
      items.at((items.indexOf(document.activeElement) + step + items.length) % items.length)?.focus();
    }
  });
}
