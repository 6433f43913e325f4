// Draws up to eight PVs over one time, with one y axis for each unit and at most two.

import { NS, SEVERITIES, number, time, zone } from "./text.js";

const MOST_AXES = 2;
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colour = (k) => css(`--l${k % 8}`);

const axisOf = (one) => (one.meta.labels.length ? `enum:${one.meta.labels.join("|")}` : one.meta.units);
export const named = (key) => (key.startsWith("enum:") ? "states" : key || "no units");

// The PVs that fit the axes, and a line about those that do not.
export function fit(all) {
  const axes = [], drawn = [], left = [];
  for (const one of all) {
    const key = axisOf(one);
    if (!axes.includes(key) && axes.length === MOST_AXES) left.push(one);
    else { if (!axes.includes(key)) axes.push(key); drawn.push(one); }
  }
  const why = left.length
    ? `Not drawn: ${left.map((one) => one.pv).join(", ")}. There are two axes (${axes.map(named).join(", ")}); take a PV away to free one.`
    : "";
  return { axes, drawn, why };
}

// The value holds until the end, or until now: a tail that live samples replace.
function columns(one, end) {
  const cols = [one.x, one.mean, one.min, one.max];
  const last = one.x.length - 1, until = Math.min(end, Date.now() / 1000, one.ended);
  const gone = one.gaps.some(([from, to]) => from < until && until <= to);
  if (last < 0 || until <= one.x[last] || gone) return cols;
  return [[...one.x, until], ...cols.slice(1).map((c) => [...c, c[last]])];
}

export class Plot {
  constructor(box, { onRange, onCursor }) {
    this.box = box;
    this.onRange = onRange;
    this.onCursor = onCursor;
    this.drawn = [];
    this.chart = null;
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(box);
  }

  size() {
    return { width: Math.max(200, this.box.clientWidth), height: Math.max(150, this.box.clientHeight) };
  }

  hint(text) {
    this.clear();
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = text;
    this.box.append(hint);
  }

  clear() {
    this.chart?.destroy();
    this.chart = null;
    this.box.replaceChildren();
  }

  // `colours`: by PV. The chart is made anew: a few ms, and no state is left over.
  show(loaded, { start, end, colours }) {
    const { axes, drawn, why } = fit(loaded);
    this.drawn = drawn;
    this.range = [start, end];
    this.clear();
    this.chart = new uPlot(this.options(axes, colours), this.data(), this.box);
    return why;
  }

  // The same PVs with more samples, or a later time.
  move(start, end) {
    if (!this.chart) return;
    this.range = [start, end];
    this.chart.batch(() => {
      this.chart.setData(this.data(), false);
      this.chart.setScale("x", { min: start, max: end });
    });
  }

  data() {
    const tables = this.drawn.map((one) => columns(one, this.range[1]));
    // 2: nulls reach over the times that only other PVs have, so that a gap stays one.
    return uPlot.join(tables, tables.map(() => [1, 2, 2, 2]));
  }

  options(axes, colours) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const series = [{}], bands = [], scales = { x: { time: true, range: () => this.range } };
    this.drawn.forEach((one) => {
      const scale = `y${axes.indexOf(axisOf(one))}`, stroke = colours.get(one.pv);
      const common = { scale, paths: stepped, points: { show: false }, spanGaps: false };
      const k = series.length;
      series.push({ ...common, label: one.pv, stroke, width: 1.8 });
      series.push({ ...common, stroke: one.raw ? undefined : `${stroke}55`, width: one.raw ? 0 : 1 });
      series.push({ ...common, stroke: one.raw ? undefined : `${stroke}55`, width: one.raw ? 0 : 1 });
      if (!one.raw) bands.push({ series: [k + 2, k + 1], fill: `${stroke}40` });
    });
    const font = "15px system-ui, 'DejaVu Sans', sans-serif";
    const common = { stroke: css("--text"), font, labelFont: `600 ${font}`, ticks: { stroke: css("--line") } };
    const yAxes = axes.map((key, k) => {
      const labels = this.drawn.find((one) => axisOf(one) === key).meta.labels;
      const mine = this.drawn.filter((one) => axisOf(one) === key);
      scales[`y${k}`] = { range: labels.length ? [-0.5, labels.length - 0.5] : spread };
      return {
        ...common, scale: `y${k}`, side: k ? 1 : 3, grid: { show: k === 0, stroke: css("--grid") },
        label: mine.length === 1 && (mine[0].pv.length + 9) * 9.5 < this.size().height - 90 ? `${mine[0].pv}${labels.length ? "" : ` [${named(key)}]`}` : named(key),
        labelSize: 26, size: (u, values) => width(u, values, font),
        ...(labels.length
          ? { splits: () => labels.map((_, n) => n), values: (u, at) => at.map((n) => labels[n]) }
          : { values: (u, at, a, s, step) => at.map((v) => tick(v, step)) }),
      };
    });
    return {
      ...this.size(), series, bands, scales, legend: { show: false },
      tzDate: (at) => (zone.local ? new Date(at * 1000) : uPlot.tzDate(new Date(at * 1000), "Etc/UTC")),
      axes: [{ ...common, grid: { stroke: css("--grid") }, values: stamps, space: (u, k, min, max) => (max - min > 4 * 86400 ? 110 : 72), size: 58,
               label: `Time, ${zone.name}`, labelSize: 24 }, ...yAxes],
      cursor: {
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        bind: { dblclick: () => () => this.onRange(null) },
      },
      hooks: {
        drawClear: [(u) => this.drawGaps(u)],
        draw: [(u) => this.drawAlarms(u), (u) => this.nameGaps(u)],
        setSelect: [(u) => {
          const { left, width } = u.select;
          if (width < 4) return;
          const [from, to] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          this.onRange(from, to);
        }],
        setCursor: [(u) => this.onCursor(u.cursor.left < 0 ? null : u.posToVal(u.cursor.left, "x"))],
      },
    };
  }

  drawGaps(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const ratio = devicePixelRatio;
    for (const one of this.drawn) for (const [from, to] of one.gaps) {
      const x = u.valToPos(from, "x", true), w = Math.max(ratio, u.valToPos(to, "x", true) - x);
      ctx.fillStyle = css("--gap");
      ctx.fillRect(x, bbox.top, w, bbox.height);
    }
    ctx.restore();
  }

  // After all else, so that no line crosses the words.
  nameGaps(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${14 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    this.drawn.forEach((one, row) => {
      const texts = this.drawn.length > 1 ? [`${one.pv} not connected`, "not connected"] : ["not connected"];
      for (const [from, to] of one.gaps) {
        const left = Math.max(bbox.left, u.valToPos(from, "x", true));
        const right = Math.min(bbox.left + bbox.width, u.valToPos(to, "x", true));
        const wideOf = (text) => ctx.measureText(text).width + 8 * ratio;
        const text = texts.find((one) => wideOf(one) <= right - left);
        if (!text) continue;
        const wide = wideOf(text);
        const x = (left + right) / 2, y = bbox.top + (20 + 20 * row) * ratio;
        ctx.fillStyle = css("--panel");
        ctx.fillRect(x - wide / 2, y - 15 * ratio, wide, 20 * ratio);
        ctx.fillStyle = css("--bad");
        ctx.fillText(text, x, y);
      }
    });
    ctx.restore();
  }

  // A strip at the foot for each PV, in the colour of the alarm.
  drawAlarms(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio, high = 5 * ratio;
    const colours = ["", css("--warn"), css("--bad"), css("--l3")];
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.drawn.forEach((one, row) => {
      for (let k = 0; k < one.x.length; k += 1) {
        if (!one.severity[k]) continue;
        const x = u.valToPos(one.x[k], "x", true);
        const to = u.valToPos(one.x[k + 1] ?? this.range[1], "x", true);
        ctx.fillStyle = colours[Math.min(3, one.severity[k])];
        ctx.fillRect(x, bbox.top + bbox.height - (row + 1) * (high + ratio), Math.max(ratio, to - x), high);
      }
    });
    ctx.restore();
  }
}

// What a PV says at a time, for the legend.
export function reading(one, at) {
  let low = 0, high = one.x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (one.x[middle] <= at) low = middle + 1; else high = middle;
  }
  const k = low - 1;
  if (k < 0 || one.mean[k] === null) return "—";
  const said = one.said.findLast((each) => each.from_ns / NS <= one.x[k]) ?? one.said[0];
  const units = said.units ? ` ${said.units}` : "";
  const alarm = one.severity[k] ? ` ${SEVERITIES[Math.min(3, one.severity[k])]}` : "";
  const label = said.labels[one.mean[k]];
  if (label !== undefined) return `${label}${alarm}`;
  if (one.raw || one.min[k] === one.max[k]) return `${number(one.mean[k])}${units}${alarm}`;
  return `${number(one.mean[k])}${units} (${number(one.min[k])} … ${number(one.max[k])})${alarm}`;
}

export function spread(u, low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.01 || 1;
  return [low - room, high + room];
}

export function tick(value, step) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size && size < 1e-4)) return value.toExponential(Math.min(6, Math.max(1, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)))));
  let digits = 0;
  while (digits < 9 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits += 1;
  return value.toFixed(digits);
}

export function width(u, values, font) {
  if (!values?.length) return 60;
  u.ctx.save();
  u.ctx.font = font;
  const widest = Math.max(...values.map((text) => u.ctx.measureText(text ?? "").width));
  u.ctx.restore();
  return Math.ceil(widest) + 22;
}

// Two lines: the clock or the day, and below what it belongs to where that changes.
function stamps(u, at, axis, space, step) {
  let before = "";
  return at.map((seconds) => {
    const [day, clock] = time(seconds, { fraction: step < 1 }).split(" ");
    if (step >= 27 * 86400) return day.slice(0, 7);
    if (step >= 86400) return day;
    const short = step >= 60 ? clock.slice(0, 5) : step < 1 ? clock.slice(0, step < 0.01 ? 12 : 10) : clock;
    const line = day === before ? short : `${short}\n${day}`;
    before = day;
    return line;
  });
}
