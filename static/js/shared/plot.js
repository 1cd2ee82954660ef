/* What interactive plots share: rows of a table as columns, colours that a canvas can use, bars of intervals. */

/** Columns [x, y, low, high, n] of the rows of a table, by rising x; a row without an interval has null there. */
export function columnsOf(rows) {
  const points = rows.map(({ dataset }) => ({
    x: Number(dataset.x), y: Number(dataset.y), n: Number(dataset.n),
    low: dataset.low === undefined ? null : Number(dataset.low),
    high: dataset.high === undefined ? null : Number(dataset.high),
  }));
  points.sort((a, b) => a.x - b.x);
  return ["x", "y", "low", "high", "n"].map((name) => points.map((point) => point[name]));
}

/** pick(name) gives the colour of a custom property where the element stands. */
export function colors(element) {
  const style = getComputedStyle(element);
  return (name) => {
    // A canvas cannot read light-dark(); a colour property resolves it, at once where nothing fades.
    element.style.transition = "none";
    element.style.color = `var(${name})`;
    const color = style.color;
    element.style.color = element.style.transition = "";
    return color;
  };
}

/** Draws interval bars through each point: lows and highs are columns of the plot's data. */
export function drawBars(color, low, high) {
  return ({ ctx, data, valToPos }) => {
    ctx.save();
    ctx.strokeStyle = color;
    ctx.lineWidth = 2 * devicePixelRatio;
    data[0].forEach((x, at) => {
      if (data[low][at] === null) return;
      ctx.beginPath();
      ctx.moveTo(valToPos(x, "x", true), valToPos(data[low][at], "y", true));
      ctx.lineTo(valToPos(x, "x", true), valToPos(data[high][at], "y", true));
      ctx.stroke();
    });
    ctx.restore();
  };
}

/** axis(label) in the page's colours. */
export function axes(pick) {
  const font = "12px system-ui";
  const lines = { stroke: pick("--line"), width: 1 };
  return (label) => ({ label, stroke: pick("--text-quiet"), grid: lines, ticks: lines, labelFont: font, font });
}

/** The rows of a figure's table that have a figure. */
export function rowsOf(figure) {
  return [...document.querySelectorAll(`#${figure.dataset.plot} tbody tr[data-x]`)];
}

/** Puts the plot of `options(size, pick)` in the place of the drawn one, which is kept for paper: a canvas keeps the
 *  colours of the screen. Without the library the drawn one stays. */
export async function replaceWith(figure, { options, data, height }) {
  const { default: Plot } = await import(figure.dataset.library);
  let plot = null;
  const draw = () => {
    const width = figure.clientWidth;
    plot?.destroy();
    plot = new Plot(options({ width, height: height(width) }, colors(figure)), data);
    figure.append(plot.root);
  };
  draw();
  figure.querySelector("svg")?.classList.add("drawn");
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
