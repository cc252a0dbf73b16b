// <form data-confirm="Suspend example.com?" data-confirm-text="..." data-confirm-action="Suspend" data-confirm-tone="danger">
// asks before it submits. Without scripts the form submits at once, and the server decides as always.
export function setupConfirm() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset?.confirm || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const dialog = document.getElementById("confirm-dialog");
    dialog.querySelector("[data-slot=title]").textContent = form.dataset.confirm;
    dialog.querySelector("[data-slot=text]").textContent = form.dataset.confirmText || "";
    const action = dialog.querySelector("[data-slot=action]");
    action.textContent = form.dataset.confirmAction || "Continue";
    action.className = `btn btn-${form.dataset.confirmTone || "primary"}`;
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "yes") return;
        form.dataset.confirmed = "1";
        form.requestSubmit(event.submitter);
      },
      { once: true },
    );
    dialog.showModal();
  });
}
