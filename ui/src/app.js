// Everything the pages do in the browser; each module looks for its own data attributes, so pages need no script.
import htmx from "htmx.org/dist/htmx.esm.js";
import { setupCharts } from "./components/chart.js";
import { setupConfirm } from "./components/confirm.js";
import { setupCopy } from "./components/copy.js";
import { setupDialogs } from "./components/dialog.js";
import { setupForms } from "./components/forms.js";
import { setupLive } from "./components/live.js";
import { setupLog } from "./components/log.js";
import { setupMenus } from "./components/menu.js";
import { setupRows } from "./components/rows.js";
import { setupSelect } from "./components/select.js";
import { setupSteps } from "./components/steps.js";
import { setupThemeSwitch } from "./components/theme-switch.js";
import { setupTabs } from "./components/tabs.js";
import { setupTimes } from "./components/times.js";
import { setupToasts, toast } from "./components/toast.js";

const csrf = document.querySelector('meta[name="csrf-token"]')?.content;
document.addEventListener("htmx:config:request", (event) => {
  if (csrf) event.detail.ctx.request.headers["X-CSRF-Token"] = csrf;
});
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  const { raw } = ctx.response;
  if (raw.redirected && new URL(raw.url).pathname === "/login") {
    // The session has ended: show the sign-in page whole instead of swapping it in.
    event.preventDefault();
    window.location.reload();
  } else if (!raw.ok) {
    // Never swap an error page into a part of a page.
    event.preventDefault();
    if (!ctx.sourceElement.matches("[data-live]")) toast("That did not work. Reload the page and try again.", "danger");
  }
});

setupThemeSwitch();
setupMenus();
setupToasts();
setupCopy();
setupDialogs(htmx);
setupConfirm();
setupForms();
setupRows();
setupSelect();
setupTabs();
setupTimes();
setupLog(htmx);
setupSteps();
setupLive(htmx);
setupCharts();
