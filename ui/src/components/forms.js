// Small comforts of forms: no double submit, parts that belong to a choice, and where something is wrong.
export function setupForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    event.submitter?.classList.add("btn-loading");
  });
  // A page from the back/forward cache must be usable again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.querySelectorAll(".btn-loading").forEach((button) => button.classList.remove("btn-loading"));
    }
  });
  const toggle = (control) => {
    const value = control.type === "checkbox" ? String(control.checked) : control.value;
    for (const part of document.querySelectorAll(`[data-shown-by="${control.name}"]`)) {
      part.hidden = !part.dataset.shownFor.split(" ").includes(value);
    }
  };
  const watched = (control) => control.name && document.querySelector(`[data-shown-by="${CSS.escape(control.name)}"]`);
  document.addEventListener("change", (event) => watched(event.target) && toggle(event.target));
  for (const control of document.querySelectorAll("select[name],input[type=checkbox][name],input[type=radio]:checked")) {
    if (watched(control)) toggle(control);
  }
  // What was refused may be far down: go there.
  document.querySelector('[aria-invalid="true"]')?.focus();
}
