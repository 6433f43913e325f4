// Arrays of numbers as they were at one time, below the plot: each a trace over its elements.

import { ask } from "./api.js";
import { css, fit, named, spread, tick, width } from "./plot.js";
import { NS, SEVERITIES, count, number, time } from "./text.js";

const MOST_ELEMENTS = 20_000;
const KINDS = new Set(["float64-array", "float32-array", "int64-array", "uint64-array", "int32-array", "int16-array"]);

export const isTraced = (kind) => KINDS.has(kind);

// The newest arrays at or before a time, in seconds.
export async function load(pvs, at, signal) {
  const asked = { pv: pvs, at: String(BigInt(Math.round(at * 1e6)) * 1000n), elements: MOST_ELEMENTS };
  const found = await ask("/last", { params: asked, signal });
  return found.map((one) => ({ ...one, meta: { labels: [], units: one.units } }));
}

// What the legend says of one, at an element or as a whole.
export function reading(one, element = null) {
  if (!one || one.time_ns === null) return "—";
  const alarm = one.severity ? ` ${SEVERITIES[Math.min(3, one.severity)]}` : "";
  const at = ` at ${time(one.time_ns / NS, { fraction: true })}`;
  if (element !== null && element < one.value.length) {
    return `[${element}] ${number(one.value[element])}${one.units ? ` ${one.units}` : ""}${at}${alarm}`;
  }
  const shown = one.value.length < one.elements ? `, the first ${count(one.value.length)} drawn` : "";
  return `${count(one.elements)} elements${shown}${at}${alarm}`;
}

export class Traces {
  constructor(box, { onElement }) {
    this.box = box;
    this.onElement = onElement;
    this.chart = null;
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(box);
  }

  size() {
    return { width: Math.max(200, this.box.clientWidth), height: Math.max(120, this.box.clientHeight) };
  }

  hide() {
    this.box.hidden = true;
    this.chart?.destroy();
    this.chart = null;
  }

  // Returns a line about those that do not fit the axes.
  show(found, colours) {
    this.hide();
    this.box.hidden = false;
    const { axes, drawn, why } = fit(found.filter((one) => one.time_ns !== null));
    const longest = Math.max(1, ...drawn.map((one) => one.value.length));
    const columns = drawn.map((one) => Array.from({ length: longest }, (_, n) => one.value[n] ?? null));
    const data = [Array.from({ length: longest }, (_, n) => n), ...columns];
    this.chart = new uPlot(this.options(axes, drawn, colours, longest), data, this.box);
    return why;
  }

  options(axes, drawn, colours, longest) {
    const font = "15px system-ui, 'DejaVu Sans', sans-serif";
    const common = { stroke: css("--text"), font, labelFont: `600 ${font}`, ticks: { stroke: css("--line") } };
    const scales = { x: { time: false, range: [0, Math.max(1, longest - 1)] } };
    axes.forEach((_, k) => { scales[`y${k}`] = { range: spread }; });
    const scaleOf = (one) => `y${axes.indexOf(one.meta.units)}`;
    const points = { show: longest <= 64, size: 6 };
    return {
      ...this.size(), scales, legend: { show: false },
      series: [{}, ...drawn.map((one) => ({ label: one.pv, scale: scaleOf(one), stroke: colours.get(one.pv), width: 1.5, points }))],
      axes: [
        { ...common, grid: { stroke: css("--grid") }, label: "Element", labelSize: 24, size: 34, values: (u, at) => at.map((n) => (Number.isInteger(n) ? count(n) : "")) },
        ...axes.map((key, k) => ({
          ...common, scale: `y${k}`, side: k ? 1 : 3, grid: { show: k === 0, stroke: css("--grid") }, label: named(key), labelSize: 26,
          size: (u, values) => width(u, values, font), values: (u, at, a, s, step) => at.map((v) => tick(v, step)),
        })),
      ],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [(u) => this.onElement(u.cursor.left < 0 ? null : Math.round(u.posToVal(u.cursor.left, "x")))] },
    };
  }
}
