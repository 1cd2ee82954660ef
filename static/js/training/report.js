/* Makes the calibration plot answer to the pointer; without the library the drawn one stays. */

/** Columns [x, ideal, y, low, high, n] of the rows of a table, for the plot. */
export function columnsOf(rows) {
  const bins = rows.map(({ dataset }) => ({
    x: Number(dataset.x), y: Number(dataset.y), n: Number(dataset.n),
    low: dataset.low === undefined ? null : Number(dataset.low),
    high: dataset.high === undefined ? null : Number(dataset.high),
  }));
  bins.sort((a, b) => a.x - b.x);
  return ["x", "x", "y", "low", "high", "n"].map((name) => bins.map((bin) => bin[name]));
}

function colors(element) {
  const style = getComputedStyle(element);
  return (name) => {
    // A canvas cannot read light-dark(); a colour property resolves it.
    element.style.color = `var(${name})`;
    const color = style.color;
    element.style.color = "";
    return color;
  };
}

/** Interval bars through each point. */
function drawBars(color) {
  return ({ ctx, data, valToPos }) => {
    ctx.save();
    ctx.strokeStyle = color;
    ctx.lineWidth = 2 * devicePixelRatio;
    data[0].forEach((x, at) => {
      if (data[3][at] === null) return;
      ctx.beginPath();
      ctx.moveTo(valToPos(x, "x", true), valToPos(data[3][at], "y", true));
      ctx.lineTo(valToPos(x, "x", true), valToPos(data[4][at], "y", true));
      ctx.stroke();
    });
    ctx.restore();
  };
}

function options(size, pick) {
  const two = (_, value) => (value === null ? "–" : value.toFixed(2));
  const font = "12px system-ui";
  const lines = { stroke: pick("--line"), width: 1 };
  const axis = (label) => ({ label, stroke: pick("--text-quiet"), grid: lines, ticks: lines, labelFont: font, font });
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
    hooks: { draw: [drawBars(pick("--accent"))] },
  };
}

async function replace(figure) {
  const { default: Plot } = await import(figure.dataset.library);
  const rows = [...document.querySelectorAll(`#${figure.dataset.plot} tbody tr`)];
  const width = figure.clientWidth;
  const plot = new Plot(options({ width, height: width - 44 }, colors(figure)), columnsOf(rows));
  figure.replaceChildren(plot.root);
}

if (typeof document !== "undefined") {
  for (const figure of document.querySelectorAll("figure[data-library]")) replace(figure).catch(() => {});
}
