// <div data-log="/admin/tasks/7/stream?after=12"><ol data-slot="lines">: appends the lines of a task's log as they come
// and follows the end unless the reader has scrolled up.
import { each } from "./each.js";
import { Stream } from "./stream.js";

function line({ seq, attempt, text, tone, at }) {
  const item = document.createElement("li");
  item.className = `log-line log-${tone}`;
  item.value = seq;
  item.dataset.attempt = attempt;
  const when = document.createElement("time");
  when.dateTime = at;
  when.textContent = at.slice(11, 19);
  const content = document.createElement("span");
  content.textContent = text;
  item.append(when, content);
  return item;
}

export function setupLog(htmx) {
  each("[data-log]", (element) => {
    const list = element.querySelector("[data-slot=lines]");
    const state = element.querySelector("[data-slot=state]");
    const follow = () => (list.scrollTop = list.scrollHeight);
    const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    follow();
    if (!element.dataset.log) return undefined;
    const address = new URL(element.dataset.log, window.location.href);
    const stream = new Stream(
      (lastId) => {
        if (lastId) address.searchParams.set("after", lastId);
        return address;
      },
      {
        line(data) {
          element.querySelector("[data-slot=none]")?.remove();
          if (!data.text) return;
          const stay = !atEnd();
          list.append(line(data));
          if (!stay) follow();
        },
        end(data) {
          if (state) state.textContent = data.words;
          element.classList.remove("log-running");
          stream.end();
          // What stands above the log (result, times, buttons) is known now.
          const page = element.closest("[data-log-page]");
          htmx.ajax("GET", page.dataset.logPage, {
            source: page,
            target: page,
            select: `#${page.id}`,
            swap: "outerMorph",
          });
        },
      },
      {
        connected: () => state && (state.textContent = "Live"),
        lost: () => state && (state.textContent = "Reconnecting…"),
      },
    );
    return () => stream.end();
  });
}
