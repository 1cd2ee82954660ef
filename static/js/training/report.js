/* Makes the calibration plot answer to the pointer; without the library the drawn one stays. */
import { axes, columnsOf, drawBars, replaceWith, rowsOf } from "../shared/plot.js";

const HEAD_PX = 44;

function options(size, pick) {
  const two = (_, value) => (value === null ? "–" : value.toFixed(2));
  const axis = axes(pick);
  const points = { show: true, size: 8, fill: pick("--accent"), stroke: pick("--accent") };
  const hidden = { show: true, stroke: "transparent", points: { show: false } };
  return {
    ...size,
    scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } },
    axes: [axis("how sure it is"), axis("how often it is right")],
    series: [
      { label: "how sure", value: two },
      { label: "honest", stroke: pick("--text-quiet"), dash: [5, 4], points: { show: false }, value: two },
      { label: "right", stroke: "transparent", points, value: two },
      { label: "from", ...hidden, value: two },
      { label: "to", ...hidden, value: two },
      { label: "n", ...hidden, scale: "n", value: (_, value) => String(value ?? "–") },
    ],
    hooks: { draw: [drawBars(pick("--accent"), 3, 4)] },
  };
}

for (const figure of document.querySelectorAll("figure[data-library]")) {
  const [x, ...others] = columnsOf(rowsOf(figure));
  replaceWith(figure, { options, data: [x, x, ...others], height: (width) => width - HEAD_PX }).catch(() => {});
}
