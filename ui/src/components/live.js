// <div id="live" data-live="/panel/services/1/stream?after=123">: whenever something happened, this element is fetched
// again from the page's own address and morphed in place (focus and scrolling stay).
import { each } from "./each.js";
import { Stream } from "./stream.js";

export function setupLive(htmx) {
  each("[data-live]", (element) => {
    const part = `#${element.id}`;
    const hint = document.getElementById("reconnecting");
    let fetching = false;
    let again = false;
    let lostTimer = null;
    let first = true;

    const refresh = async () => {
      if (fetching) {
        again = true; // one more when this one is in: nothing is missed, nothing piles up
        return;
      }
      fetching = true;
      try {
        do {
          again = false;
          await htmx.ajax("GET", window.location.pathname + window.location.search, {
            source: element,
            target: element,
            select: part,
            swap: "outerMorph",
          });
        } while (again && element.isConnected);
      } finally {
        fetching = false;
      }
    };

    const connected = () => {
      clearTimeout(lostTimer);
      lostTimer = null;
      if (hint) hint.hidden = true;
      // The page may be older than the line: whatever the replay brings, look once more.
      if (!first) refresh();
      first = false;
    };
    const lost = () => {
      lostTimer ??= setTimeout(() => {
        if (hint) hint.hidden = false;
      }, 1200);
    };
    const address = new URL(element.dataset.live, window.location.href);
    const stream = new Stream(
      (lastId) => {
        if (lastId) address.searchParams.set("after", lastId);
        return address;
      },
      { activity: refresh },
      { connected, lost },
    );
    return () => {
      clearTimeout(lostTimer);
      stream.end();
    };
  });
}
