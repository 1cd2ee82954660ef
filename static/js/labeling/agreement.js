/* The page of agreement: a plot that answers to the pointer, and printing with everything opened. */
import { axes, columnsOf, drawBars, replaceWith, rowsOf } from "../shared/plot.js";

function options(size, pick) {
  const two = (_, value) => (value === null || value === undefined ? "–" : value.toFixed(2));
  const axis = axes(pick);
  const points = { show: true, size: 8, fill: pick("--accent"), stroke: pick("--accent") };
  const hidden = { show: true, stroke: "transparent", points: { show: false } };
  return {
    ...size,
    scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 1)] } },
    axes: [{ ...axis("window of 50 crops"), incrs: [1, 2, 5, 10, 20] }, axis("α")],
    series: [
      { label: "window" },
      { label: "α", stroke: pick("--text-quiet"), points, value: two },
      { label: "from", ...hidden, value: two },
      { label: "to", ...hidden, value: two },
      { label: "n", ...hidden, scale: "n", value: (_, value) => String(value ?? "–") },
    ],
    hooks: { draw: [drawBars(pick("--accent"), 2, 3)] },
  };
}

/** Tables that are folded away on screen belong on paper. */
function openForPrint() {
  for (const part of document.querySelectorAll("details.more:not([open])")) {
    part.open = true;
    addEventListener("afterprint", () => (part.open = false), { once: true });
  }
}

if (typeof document !== "undefined") {
  for (const figure of document.querySelectorAll("figure[data-library]")) {
    replaceWith(figure, { options, data: columnsOf(rowsOf(figure)), height: () => 300 }).catch(() => {});
  }
  addEventListener("beforeprint", openForPrint);
  document.querySelector("[data-print]")?.addEventListener("click", () => print());
}
