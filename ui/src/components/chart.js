// <div data-chart='{"x": [unix seconds], "lines": [{"name": "CPU", "y": [...]}], "unit": "%", "max": 100}'> becomes a line
// chart from "from" to "to"; null in "y" is a pause. What it shows stands beside it in words too. Under the pointer the value is written into
// [data-slot=value] of the surrounding figure. The library is fetched by pages that have a chart only.
import { each } from "./each.js";

const HEIGHT = 132;
const DAY = 86400;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const both = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

const amount = (value, unit) => {
  if (unit === "MB") {
    for (const [name, size] of [["TB", 1e6], ["GB", 1e3]]) {
      if (Math.abs(value) >= size) return `${(value / size).toLocaleString("en-GB", { maximumFractionDigits: 1 })} ${name}`;
    }
  }
  const text = value.toLocaleString("en-GB", { maximumFractionDigits: value < 10 && unit !== "MB" ? 2 : 0 });
  return unit ? `${text} ${unit}` : text;
};

function options(element, data, width) {
  const colours = getComputedStyle(element);
  const colour = (name) => colours.getPropertyValue(name).trim();
  const slot = element.closest("figure")?.querySelector("[data-slot=value]");
  const still = slot?.textContent;
  const long = (data.to ?? data.x.at(-1)) - (data.from ?? data.x[0]) > 2 * DAY;
  const axis = { stroke: colour("--chart-text"), font: `11px ${colours.fontFamily}`, ticks: { show: false } };
  const line = { stroke: colour("--chart-grid"), width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { range: (_, low, high) => [data.from ?? low, data.to ?? high] },
      y: { range: (_, low, high) => [0, data.max ?? Math.max(high * 1.1, data.least ?? 1)] },
    },
    series: [
      {},
      ...data.lines.map((one, place) => ({
        label: one.name,
        stroke: colour(`--chart-${place + 1}`),
        fill: data.lines.length === 1 ? colour("--chart-fill") : undefined,
        width: 1.75,
        points: { show: data.x.length < 3, size: 5 },
      })),
    ],
    axes: [
      { ...axis, size: 24, grid: { show: false }, values: (_, ticks) => ticks.map((at) => (long || data.days ? day : clock).format(at * 1000)) },
      { ...axis, size: 54, space: 36, grid: line, values: (_, ticks) => ticks.map((value) => amount(value, data.unit)) },
    ],
    hooks: {
      setCursor: [
        (plot) => {
          if (!slot) return;
          const place = plot.cursor.idx;
          const known = place === null || place === undefined ? [] : data.lines.filter((one) => one.y[place] !== null);
          const at = known.length && (data.days ? day : long ? both : clock).format(data.x[place] * 1000);
          const several = data.lines.length > 1;
          slot.textContent = known.length
            ? `${at}: ${known.map((one) => (several ? `${one.name} ` : "") + amount(one.y[place], data.unit)).join(", ")}`
            : still;
        },
      ],
    },
  };
}

export function setupCharts() {
  each("[data-chart]", (element) => {
    const data = JSON.parse(element.dataset.chart);
    let plot = null;
    let ended = false;
    const draw = async () => {
      const { default: Plot } = await import("uplot");
      plot?.destroy();
      if (ended || !element.clientWidth) return;
      plot = new Plot(options(element, data, element.clientWidth), [data.x, ...data.lines.map((one) => one.y)], element);
    };
    const resized = new ResizeObserver(() => {
      if (plot && element.clientWidth) plot.setSize({ width: element.clientWidth, height: HEIGHT });
      else draw();
    });
    const recoloured = new MutationObserver(draw);
    resized.observe(element);
    recoloured.observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    return () => {
      ended = true;
      resized.disconnect();
      recoloured.disconnect();
      plot?.destroy();
    };
  });
}
