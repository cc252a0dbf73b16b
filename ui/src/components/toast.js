// Messages of the server (in the page already) and of the scripts, at the edge of the screen.
export function toast(text, tone = "info") {
  const area = document.getElementById("toasts");
  const note = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  note.classList.add(`flash-${tone}`);
  note.querySelector("[data-slot=text]").textContent = text;
  area.append(note);
  arm(note);
}

function arm(note) {
  const close = () => note.remove();
  note.querySelector("[data-close]").addEventListener("click", close);
  // Errors stay until they are closed.
  if (!note.classList.contains("flash-danger")) {
    let timer = setTimeout(close, 8000);
    note.addEventListener("pointerenter", () => clearTimeout(timer));
    note.addEventListener("pointerleave", () => (timer = setTimeout(close, 3000)));
  }
}

export function setupToasts() {
  document.querySelectorAll("#toasts > *").forEach(arm);
}
