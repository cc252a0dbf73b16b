// <form data-confirm="Suspend example.com?" data-confirm-text="..." data-confirm-action="Suspend" data-confirm-tone="danger">
// asks before it submits. A button with data-confirm asks its own question; "{n}" in it stands for what the form has
// selected (data-count). Without scripts the form submits at once, and the server decides as always.
export function setupConfirm() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asks = event.submitter?.dataset.confirm ? event.submitter.dataset : form.dataset;
    if (!asks?.confirm || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const dialog = document.getElementById("confirm-dialog");
    dialog.querySelector("[data-slot=title]").textContent = asks.confirm.replace("{n}", form.dataset.count || "");
    dialog.querySelector("[data-slot=text]").textContent = asks.confirmText || "";
    const action = dialog.querySelector("[data-slot=action]");
    action.textContent = asks.confirmAction || "Continue";
    action.className = `btn btn-${asks.confirmTone || "primary"}`;
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
