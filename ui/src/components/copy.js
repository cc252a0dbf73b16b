// <button data-copy="text"> copies the text; the label changes for a moment.
import { toast } from "./toast.js";

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    toast("This browser does not allow copying here. Select the text and copy it.", "warning");
    return;
  }
  button.classList.add("copied");
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.classList.remove("copied");
    button.setAttribute("aria-label", button.dataset.copyLabel || "Copy");
  }, 1600);
}

export function setupCopy() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
}
