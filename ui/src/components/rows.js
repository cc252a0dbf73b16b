// <div data-rows> holds rows ([data-slot=row]), a <template data-slot="blank"> and buttons [data-row-add] and, in each
// row, [data-row-remove]. "fleet:rows" tells that there is one more or less.
export function setupRows() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-row-add],[data-row-remove]");
    const rows = button?.closest("[data-rows]");
    if (!rows) return;
    if ("rowAdd" in button.dataset) {
      const blank = rows.querySelector("template[data-slot=blank]");
      blank.before(blank.content.cloneNode(true));
      blank.previousElementSibling.querySelector("input,select,textarea")?.focus();
    } else {
      const row = button.closest("[data-slot=row]");
      const next = row.nextElementSibling?.matches("[data-slot=row]") ? row.nextElementSibling : row.previousElementSibling;
      row.remove();
      (next?.querySelector("[data-row-remove]") ?? rows.querySelector("[data-row-add]"))?.focus();
    }
    rows.dispatchEvent(new Event("fleet:rows", { bubbles: true }));
  });
}
