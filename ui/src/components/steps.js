// <details data-step-lines="/panel/services/1/steps/7/stream?after=3"><ol data-slot="lines">: while it is open, the
// step's lines are appended as they come. Closed ones ask for nothing.
import { each } from "./each.js";
import { Stream } from "./stream.js";
import { clock } from "./times.js";

function line({ seq, text, tone, at }) {
  const item = document.createElement("li");
  item.className = `step-line step-line-${tone}`;
  item.value = seq;
  const when = document.createElement("time");
  when.dateTime = at;
  when.dataset.clock = "";
  when.textContent = clock(at);
  const words = document.createElement("span");
  words.textContent = text;
  item.append(when, words);
  return item;
}

export function setupSteps() {
  each("details[data-step-lines]", (step) => {
    let stream = null;
    const list = step.querySelector("[data-slot=lines]");
    const follow = () => {
      if (!step.open) {
        stream?.end();
        stream = null;
      }
      if (!step.open || stream) return;
      const address = new URL(step.dataset.stepLines, window.location.href);
      stream = new Stream(
        (lastId) => {
          if (lastId) address.searchParams.set("after", lastId);
          return address;
        },
        {
          line(data) {
            // The page may have been drawn again meanwhile, with this line in it.
            if ([...list.children].some((item) => item.value === data.seq)) return;
            list.querySelector("[data-slot=none]")?.remove();
            list.append(line(data));
          },
          end() {
            stream.end();
          },
        },
      );
    };
    step.addEventListener("toggle", follow);
    follow();
    return () => {
      step.removeEventListener("toggle", follow);
      stream?.end();
    };
  });
}
