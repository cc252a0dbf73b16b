// A row of tabs that is wider than the screen shows the current one.
export function setupTabs() {
  const tab = document.querySelector(".tab[aria-current]");
  const row = tab?.parentElement;
  if (row) row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.clientWidth) / 2;
}
