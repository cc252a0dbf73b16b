// <time datetime="..." data-relative> keeps "3 minutes ago" true; every <time> gets the reader's own clock as title.
// <time datetime="..." data-clock> shows the reader's own clock.
// <span data-running-since="ISO"> counts up.
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

function relative(seconds) {
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
  let value = seconds;
  for (const [unit, size] of steps) {
    if (Math.abs(value) < size) return unit === "second" && Math.abs(value) < 10 ? "just now" : words.format(Math.round(value), unit);
    value /= size;
  }
  return "";
}

function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = exact.format(at);
    if ("clock" in time.dataset && time.textContent !== clock(at)) time.textContent = clock(at);
    const text = relative((at - Date.now()) / 1000);
    if ("relative" in time.dataset && time.textContent !== text) time.textContent = text;
  }
}

function count() {
  for (const element of document.querySelectorAll("[data-running-since]")) {
    element.textContent = duration(Math.max(0, (Date.now() - new Date(element.dataset.runningSince)) / 1000));
  }
}

export function setupTimes() {
  const all = () => {
    refresh();
    count();
  };
  all();
  setInterval(refresh, 15000);
  setInterval(count, 1000);
  document.addEventListener("htmx:after:swap", all);
}
