// <form data-select="task"> with check boxes named "task": [data-select-page] ticks all of them,
// [data-select-everything="134"] stands for all that match the filter (with data-select-more there are even more). The
// bar's buttons sleep while nothing is selected.
import { each } from "./each.js";

// 20 000, as the pages write it
const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");

export function setupSelect() {
  each("form[data-select]", (form) => {
    const noun = form.dataset.select;
    const words = (count) => `${more()}${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
    const rows = () => [...form.querySelectorAll(`input[name=${noun}]`)];
    const page = form.querySelector("[data-select-page]");
    const everything = form.querySelector("[data-select-everything]");
    const more = () => (everything?.checked && everything.hasAttribute("data-select-more") ? "more than " : "");
    const bar = form.querySelector("[data-slot=bar]");
    if (!bar) return undefined;
    const show = () => {
      const ticked = rows().filter((row) => row.checked).length;
      const all = everything?.checked ? Number(everything.dataset.selectEverything) : 0;
      const count = all || ticked;
      page.checked = ticked > 0 && ticked === rows().length;
      page.indeterminate = ticked > 0 && !page.checked;
      form.dataset.count = words(count);
      bar.querySelector("[data-slot=count]").textContent = count ? `${words(count)} selected` : "";
      bar.classList.toggle("bulk-idle", !count);
      for (const control of bar.querySelectorAll("button,select")) control.disabled = !count;
    };
    const change = (event) => {
      if (event.target === page) for (const row of rows()) row.checked = page.checked;
      if (event.target === everything && everything.checked) for (const row of rows()) row.checked = true;
      if (event.target.name === noun && !event.target.checked && everything) everything.checked = false;
      if (event.target === page && !page.checked && everything) everything.checked = false;
      show();
    };
    form.addEventListener("change", change);
    show();
    return () => form.removeEventListener("change", change);
  });
}
