// Native <dialog>: [data-dialog="id"] opens one that is on the page;
// <a data-dialog-load="#part" href="..."> opens the link's page in the side sheet (the link itself stays a link).
import { rescan } from "./each.js";

export function setupDialogs(htmx) {
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.dialog).showModal();
      return;
    }
    const closer = event.target.closest("[data-dialog-close]");
    if (closer) {
      closer.closest("dialog").close();
      return;
    }
    if (event.target instanceof HTMLDialogElement && event.target.open) {
      // A click on the backdrop hits the dialog element itself; inside, its content is hit.
      event.target.close();
      return;
    }
    const row = event.target.closest("[data-row-link]");
    const link = event.target.closest("a[data-dialog-load]")
      ?? (row && !event.target.closest("a,button,input,select,label,.col-tick") ? row.querySelector("a[data-dialog-load]") : null);
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const sheet = document.getElementById("sheet");
    const body = sheet.querySelector("[data-slot=body]");
    body.replaceChildren(document.getElementById("sheet-loading").content.cloneNode(true));
    sheet.showModal();
    await htmx.ajax("GET", link.href, {
      source: body,
      target: body,
      select: link.dataset.dialogLoad,
      swap: "innerHTML",
    });
  });
  document.getElementById("sheet")?.addEventListener("close", (event) => {
    // Leaving ends the log stream inside.
    event.target.querySelector("[data-slot=body]").replaceChildren();
    rescan();
  });
}
