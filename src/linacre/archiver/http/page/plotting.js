// Which PVs are plotted over which time, and how that moves: old or live.

import { address, ask, token } from "./api.js";
import { append, load } from "./data.js";
import { Plot, colour, reading } from "./plot.js";
import { $, RANGES, colours, now, range, say, state, trying } from "./state.js";
import { Traces, isTraced, load as loadTraces, reading as readingOfTrace } from "./traces.js";
import { NS, count, time } from "./text.js";

const MOST_PLOTTED = 8;
const HINT = "Press the name of a PV to plot it.";
const NUMBERS = new Set(["float64", "float32", "int64", "uint64", "int32", "enum"]);

const plot = new Plot($("plot"), {
  onRange: (from, to) => (from === null ? goBack() : go(from, to)),
  onCursor: (at) => { showReadings(at); traceAt(at); },
});
const traces = new Traces($("traces"), { onElement: (element) => showTraceReadings(element) });
const TRACE_WAIT_MS = 100, TRACE_LIVE_S = 1;

let plotted = () => {};
// Told each time another set of PVs is plotted, or they have other colours.
export function whenPlotted(listener) { plotted = listener; }

const isTrace = ({ pv }) => isTraced(state.kinds.get(pv));
const lines = () => state.plotted.filter((one) => !isTrace(one));

function remember() {
  const params = new URLSearchParams(state.plotted.map(({ pv }) => ["pv", pv]));
  params.set("span", String(Math.round(state.span)));
  if (state.end !== null) params.set("end", new Date(state.end * 1000).toISOString());
  history.replaceState(null, "", `#${params}`);
}

export function recall() {
  const params = new URLSearchParams(location.hash.slice(1));
  const span = Number(params.get("span")), end = Date.parse(params.get("end")) / 1000;
  if (span > 0) state.span = span;
  if (end) state.end = end;
  state.plotted = [...new Set(params.getAll("pv"))].slice(0, MOST_PLOTTED).map((pv, k) => ({ pv, k }));
}

export function toggle(pv) {
  const was = state.plotted.findIndex((one) => one.pv === pv);
  if (was >= 0) {
    state.plotted.splice(was, 1);
    state.loaded.delete(pv);
    state.traces.delete(pv);
  } else {
    const kind = state.statuses.find((one) => one.pv === pv)?.kind;
    if (kind) state.kinds.set(pv, kind);
    if (kind && !NUMBERS.has(kind) && !isTraced(kind)) return say(`${pv} cannot be plotted: its values are of the kind ${kind}. Its samples can be read from the API.`);
    if (state.plotted.length >= MOST_PLOTTED) return say(`${MOST_PLOTTED} PVs are plotted: take one away first.`);
    const used = new Set(state.plotted.map((one) => one.k));
    let k = 0;
    while (used.has(k)) k += 1;
    state.plotted.push({ pv, k });
  }
  say("");
  plotted();
  if (state.live) follow();
  return draw({ keep: true });
}

export function go(from, to) {
  state.history.push([state.span, state.end]);
  state.span = Math.max(0.001, to - from);
  state.end = to;
  stopLive();
  draw();
}

export function goBack() {
  const was = state.history.pop();
  if (!was) return;
  [state.span, state.end] = was;
  stopLive();
  draw();
}

export function shift(part) {
  const [start, end] = range();
  go(start + part * state.span, end + part * state.span);
}

export function zoom(factor) {
  const [start, end] = range(), middle = (start + end) / 2, half = (state.span * factor) / 2;
  go(middle - half, Math.min(middle + half, Math.max(end, now())));
}

function showRange() {
  const [start, end] = range();
  showTimes(start, end);
  $("back").disabled = !state.history.length;
  [...$("ranges").children].forEach((button, k) => {
    button.setAttribute("aria-pressed", String(state.end === null && RANGES[k][1] === state.span));
  });
  const pvs = state.plotted.map((one) => one.pv);
  const links = pvs.length ? ["csv", "parquet", "arrow"].map((format) => {
    const ns = (at) => String(BigInt(Math.round(at * 1e3)) * 1000000n);
    const times = format === "csv" ? "iso" : undefined;
    const href = address("/samples", { pv: pvs, start: ns(start), end: ns(end), format, times }).href;
    return Object.assign(document.createElement("a"), { textContent: format.toUpperCase(), href });
  }) : [];
  $("downloads").replaceChildren(...(links.length ? ["All samples of this range:", ...links] : []));
}

function showTimes(start, end) {
  for (const [id, at] of [["from", start], ["to", end]]) {
    if (document.activeElement !== $(id)) $(id).value = time(at);
  }
}

// `keep`: PVs that are loaded for this range already are not asked for again.
export async function draw({ keep = false } = {}) {
  remember();
  showRange();
  showLegend();
  state.loading?.abort();
  if (!state.plotted.length) {
    $("told").textContent = "";
    traces.hide();
    $("plotting").classList.remove("arrays-only");
    plot.hint(HINT);
    return;
  }
  const loading = state.loading = new AbortController();
  await learnKinds(loading.signal);
  if (loading !== state.loading) return;
  $("plotting").classList.toggle("arrays-only", !lines().length);
  showTraces(state.end ?? now());
  if (!lines().length) {
    $("told").textContent = "";
    $("plot").classList.remove("busy");
    plot.hint("Arrays are drawn below, as they were at the end of this time. Plot a PV of numbers too, and they are as they were at the pointer.");
    return;
  }
  $("plot").classList.add("busy");
  const [start, end] = keep && state.drawnRange ? state.drawnRange : range();
  const n = Math.max(100, Math.min(1500, Math.round($("plot").clientWidth / 1.5)));
  if (!keep) state.loaded = new Map();
  const began = performance.now();
  const wanted = lines().filter(({ pv }) => !state.loaded.has(pv));
  const results = await Promise.allSettled(wanted.map(({ pv }) => load(pv, start, end, n, { signal: loading.signal, ...standing(pv) })));
  if (loading !== state.loading) return;
  results.forEach((result, k) => {
    if (result.status === "fulfilled") state.loaded.set(wanted[k].pv, result.value);
    else if (result.reason.name !== "AbortError") {
      say(`${wanted[k].pv}: ${result.reason.message}`);
      state.plotted = state.plotted.filter(({ pv }) => pv !== wanted[k].pv);
    }
  });
  $("plot").classList.remove("busy");
  state.drawnRange = [start, end];
  state.dueAt = now() + Math.min(300, Math.max(15, state.span / 500));
  plotted();
  const loaded = state.plotted.map(({ pv }) => state.loaded.get(pv)).filter(Boolean);
  if (!loaded.length) { showLegend(); plot.hint(HINT); return; }
  const why = plot.show(loaded, { start, end, colours: colours() });
  if (why) say(why);
  showLegend();
  told(loaded, performance.now() - began);
}

// Since when there can be no samples: the archiver's end, or what the PV's state says.
function standing(pv) {
  const info = state.info, status = state.statuses.find((one) => one.pv === pv);
  const down = status && !["connected", "searching", "ended"].includes(status.state);
  return {
    ended: info?.read_only && info.ends_ns ? info.ends_ns / NS : Infinity,
    downSince: down ? status.since_ns / NS : null,
  };
}

function told(loaded, ms) {
  const binned = loaded.filter((one) => !one.raw).length;
  const what = !binned ? "every sample, each holding until the next"
    : binned === loaded.length ? "mean as a line, least to greatest as a band" : "each sample, or mean and least to greatest where there are many";
  const total = loaded.reduce((sum, one) => sum + one.total, 0);
  const lost = state.liveLost ? ` This page was too slow for ${count(state.liveLost)} live samples; they are stored.` : "";
  const alarms = loaded.some((one) => one.severity.some(Boolean)) ? " Strips at the foot: alarms." : "";
  $("told").textContent = `${count(total)} samples: ${what}.${alarms} Shown in ${Math.round(ms)} ms.${lost}`;
}

function showLegend() {
  const items = state.plotted.map(({ pv, k }) => {
    const item = document.createElement("li"), chip = document.createElement("span");
    chip.className = "chip";
    chip.style.background = colour(k);
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: pv });
    const said = Object.assign(document.createElement("span"), { className: "reading" });
    const away = Object.assign(document.createElement("button"), { type: "button", textContent: "✕" });
    away.setAttribute("aria-label", `Take ${pv} out of the plot`);
    away.addEventListener("click", () => toggle(pv));
    item.append(chip, name, said, away);
    return item;
  });
  $("legend").replaceChildren(...items);
  showReadings(null);
  showTraceReadings(null);
}

function showReadings(at) {
  const last = at === null;
  state.plotted.forEach(({ pv }, k) => {
    const one = state.loaded.get(pv), item = $("legend").children[k];
    if (!item || isTrace({ pv })) return;
    item.children[2].textContent = one ? reading(one, last ? Infinity : at) : "…";
    item.title = last ? "the last value of the range" : `at ${time(at, { fraction: true })}`;
  });
}

// --- arrays -------------------------------------------------------------------------------

// Of PVs that the address names: the table may not show them.
async function learnKinds(signal) {
  const unknown = state.plotted.map(({ pv }) => pv).filter((pv) => !state.kinds.has(pv));
  if (!unknown.length) return;
  const found = await Promise.allSettled(unknown.map((pv) => ask("/last", { params: { pv, elements: 0 }, signal })));
  // One that is not there is told where it is loaded.
  found.forEach(({ value }, k) => { if (value?.[0].kind) state.kinds.set(unknown[k], value[0].kind); });
}

let tracing = null, waiting = null, tracedAt = 0;

async function showTraces(at) {
  const pvs = state.plotted.filter(isTrace).map(({ pv }) => pv);
  clearTimeout(waiting);
  tracing?.abort();
  if (!pvs.length) return traces.hide();
  const asking = tracing = new AbortController();
  tracedAt = now();
  const found = await trying(() => loadTraces(pvs, at, asking.signal));
  if (asking !== tracing || !found) return undefined;
  state.traces = new Map(found.map((one) => [one.pv, one]));
  const why = traces.show(found, colours());
  if (why) say(why);
  return showTraceReadings(null);
}

// A pointer that moves on is not run after.
function traceAt(at) {
  if (!state.plotted.some(isTrace)) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => showTraces(at ?? state.end ?? now()), TRACE_WAIT_MS);
}

function showTraceReadings(element) {
  state.plotted.forEach((one, k) => {
    const item = $("legend").children[k];
    if (item && isTrace(one)) item.children[2].textContent = readingOfTrace(state.traces.get(one.pv), element);
  });
}

// --- live ---------------------------------------------------------------------------------

export function follow() {
  state.live?.socket?.close();
  const live = state.live = { socket: null };
  state.liveLost = 0;
  $("live").setAttribute("aria-pressed", "true");
  state.end = null;
  if (!lines().length) return;
  const url = address("/live", { pv: lines().map(({ pv }) => pv) });
  url.protocol = url.protocol.replace("http", "ws");
  const socket = live.socket = new WebSocket(url);
  socket.onopen = () => { if (token.value) socket.send(JSON.stringify({ token: token.value })); };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "error") say(message.detail);
    if (message.type !== "samples") return;
    const loaded = state.loaded.get(message.pv);
    if (loaded) append(loaded, message);
    state.liveLost += message.lost;
  };
  socket.onclose = (event) => {
    if (state.live !== live) return;
    if (event.code >= 4000) stopLive();
    else setTimeout(() => { if (state.live === live) follow(); }, 2000);
  };
}

export function stopLive() {
  const live = state.live;
  state.live = null;
  live?.socket?.close();
  $("live").setAttribute("aria-pressed", "false");
}

export function tick() {
  if (!state.live || document.hidden || !state.plotted.length || $("plot").classList.contains("busy")) return;
  if (now() - tracedAt > TRACE_LIVE_S && state.plotted.some(isTrace) && !$("plotting").matches(":hover")) showTraces(now());
  if (!lines().length) return;
  if (now() > state.dueAt) { draw(); return; }
  const [start, end] = range();
  state.drawnRange = [start, end];
  plot.move(start, end);
  showTimes(start, end);
  if (!$("plot").matches(":hover")) showReadings(null);
}
