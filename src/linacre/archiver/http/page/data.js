// What is drawn of a PV over a time: bins, or the samples themselves where they are few.

import { ask } from "./api.js";
import { NS } from "./text.js";

const BEGINS = new Set(["lost", "paused", "removed", "stopped", "ended", "refused"]);
const ENDS = new Set(["connected", "resumed"]);
const ns = (seconds) => String(BigInt(Math.round(seconds * 1e6)) * 1000n);

// Times in which the PV was not connected. Nothing else is a gap: without news a value holds.
// A connection that nothing parted from the one before: the archiver itself was away; its gap
// begins with null, at a time that the samples tell.
export function gapsOf(events, end, downSince = null) {
  const gaps = [];
  let since = null, open = false;
  for (const event of events) {
    const at = event.time_ns / NS;
    if (BEGINS.has(event.kind)) {
      since = open ? since : at;
      open = true;
    } else if (ENDS.has(event.kind)) {
      if (open || !event.detail?.changed) gaps.push([open ? since : null, at]);
      open = false;
    }
  }
  if (!open && downSince !== null && downSince < end) gaps.push([Math.max(downSince, gaps.at(-1)?.[1] ?? 0), end]);
  else if (open) gaps.push([since, end]);
  return gaps;
}

// `last(at)` is the time until which there are samples before `at`.
function settled(gaps, start, last) {
  return gaps.map(([from, to]) => [Math.max(start, from ?? last(to) ?? start), to]).filter(([from, to]) => from < to);
}

const inside = (gaps, at) => gaps.some(([from, to]) => from <= at && at < to);
const columnsOf = (fields) => Object.fromEntries(fields.map((name, k) => [name, k]));

function fromBins({ rows, fields }, before, gaps, upTo) {
  const col = columnsOf(fields);
  const out = { x: [], mean: [], min: [], max: [], severity: [] };
  let held = before;
  for (const row of rows) {
    const at = row[col.start] / NS, until = row[col.end] / NS;
    const some = row[col.count] > 0;
    const gone = !some && (at > upTo || inside(gaps, (at + until) / 2));
    out.x.push(at);
    out.mean.push(gone ? null : some ? row[col.mean] : held);
    out.min.push(gone ? null : some ? row[col.min] : held);
    out.max.push(gone ? null : some ? row[col.max] : held);
    out.severity.push(row[col.severity] ?? 0);
    if (some) held = row[col.last];
    else if (gone) held = null;
  }
  return out;
}

function fromSamples({ rows, fields }, start, gaps) {
  const col = columnsOf(fields);
  const points = rows.map((row) => [row[col.time] / NS, row[col.value], row[col.severity]]);
  // The first may be from long before: it is the value at the start.
  if (points.length && points[0][0] < start) points[0][0] = start;
  for (const [from] of gaps) points.push([from, null, 0]);
  points.sort((a, b) => a[0] - b[0]);
  const out = { x: [], mean: [], min: [], max: [], severity: [] };
  const push = (at, value, severity) => {
    out.x.push(at);
    for (const name of ["mean", "min", "max"]) out[name].push(value);
    out.severity.push(severity);
  };
  for (const [at, value, severity] of points) {
    const before = out.mean.at(-1);
    if (at <= out.x.at(-1)) continue;
    // The chart ends a line at the last point before a null: the value held until just before.
    if (value === null && before !== null && before !== undefined) push(at - 1e-6, before, out.severity.at(-1));
    push(at, value, severity);
  }
  return out;
}

// What is said of the axis: the last; a state whose label changed has each that it had.
export function metaOf(said) {
  const most = Math.max(...said.map((one) => one.labels.length));
  const labels = Array.from({ length: most }, (_, n) => [...new Set(said.map((one) => one.labels[n]).filter((text) => text !== undefined))].join(" / "));
  return { ...said.at(-1), labels };
}

// `ended`: when the archiver took its last samples; `downSince`: since when this PV gives none.
export async function load(pv, start, end, n, { signal, ended = Infinity, downSince = null }) {
  const range = { pv, start: ns(start), end: ns(end) };
  const [said, bins, before, events] = await Promise.all([
    ask("/metadata/history", { params: range, signal }),
    ask("/bins", { params: { ...range, n }, signal }),
    ask("/last", { params: { pv, at: ns(start) }, signal }),
    ask("/events", { params: range, signal }),
  ]);
  const upTo = Math.min(end, Date.now() / 1000, ended);
  const col = columnsOf(bins.fields);
  const total = bins.rows.reduce((sum, row) => sum + row[col.count], 0);
  const raw = total <= 2 * n;
  const found = gapsOf(events.events, upTo, downSince);
  let gaps, drawn;
  if (raw) {
    const samples = await ask("/samples", { params: range, signal });
    const at = columnsOf(samples.fields).time;
    gaps = settled(found, start, (to) => samples.rows.findLast((row) => row[at] / NS < to)?.[at] / NS || null);
    drawn = fromSamples(samples, start, gaps);
  } else {
    const until = (to) => bins.rows.findLast((row) => row[col.count] && row[col.end] / NS <= to)?.[col.end] / NS;
    gaps = settled(found, start, (to) => until(to) || null);
    drawn = fromBins(bins, before[0].value, gaps, upTo);
  }
  return { pv, meta: metaOf(said), said, raw, total, gaps, ended, loadedTo: end, ...drawn };
}

// New samples of the WebSocket, behind what was loaded.
export function append(loaded, message) {
  const at = message.fields.indexOf("time"), v = message.fields.indexOf("value");
  const severity = message.fields.indexOf("severity");
  for (const row of message.rows) {
    const x = row[at] / NS;
    if (x <= (loaded.x.at(-1) ?? -Infinity) || (!loaded.raw && x <= loaded.loadedTo)) continue;
    loaded.x.push(x);
    for (const name of ["mean", "min", "max"]) loaded[name].push(row[v]);
    loaded.severity.push(row[severity]);
    loaded.total += 1;
  }
}
