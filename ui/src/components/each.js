// Runs `start` for every element that matches, now and after each swap; `stop` when it leaves the page.
const registered = [];

function scan({ selector, start, active }) {
  for (const [element, stop] of active) {
    if (!element.isConnected || !element.matches(selector)) {
      active.delete(element);
      stop?.();
    }
  }
  for (const element of document.querySelectorAll(selector)) {
    if (!active.has(element)) active.set(element, start(element));
  }
}

export function each(selector, start) {
  const entry = { selector, start, active: new Map() };
  registered.push(entry);
  scan(entry);
}

export function rescan() {
  registered.forEach(scan);
}

document.addEventListener("htmx:after:swap", rescan);
document.addEventListener("fleet:changed", rescan);
