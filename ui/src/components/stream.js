// One EventSource with what it lacks: it ends while the page is hidden (browsers allow few connections per host),
// comes back after the server refused for a while, and tells whether it is connected.
export class Stream {
  /** `url(lastId)` gives the address; `on` maps event names to functions(data, id). */
  constructor(url, on, { connected, lost } = {}) {
    this.url = url;
    this.on = on;
    this.connected = connected ?? (() => {});
    this.lost = lost ?? (() => {});
    this.lastId = null;
    this.wait = 500;
    this.ended = false;
    this.visibility = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.visibility);
    if (!document.hidden) this.open();
  }

  open() {
    if (this.ended || this.source) return;
    clearTimeout(this.timer);
    const source = new EventSource(this.url(this.lastId));
    this.source = source;
    source.onopen = () => {
      this.wait = 500;
      this.connected();
    };
    source.onerror = () => {
      this.lost();
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.close();
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, 10000);
    };
    for (const [name, handle] of Object.entries(this.on)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) this.lastId = event.lastEventId;
        handle(event.data ? JSON.parse(event.data) : null, event.lastEventId);
      });
    }
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.close();
    document.removeEventListener("visibilitychange", this.visibility);
  }
}
