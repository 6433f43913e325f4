// The archiver itself and its PVs, asked for again and again.

import { ask } from "./api.js";
import { showDetails } from "./dialogs.js";
import { toggle, whenPlotted } from "./plotting.js";
import { $, colours, now, say, sayAlways, state, trying } from "./state.js";
import { Table } from "./table.js";
import { NS, count, length, shortTime, size, time, zone } from "./text.js";

export const ROWS = 100;
// One request that is never answered does not stop those after it.
const PATIENCE = { patienceMs: 30000 };

function fact(name, text, kind = "") {
  const group = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = text;
  dd.className = kind;
  group.append(dt, dd);
  return group;
}

export function showInfo() {
  const info = state.info, at = info.now_ns / NS;
  document.title = `${info.name}: archiver`;
  $("name").textContent = info.name;
  const [word, kind] = info.disk_full ? ["disk full: nothing is stored", "bad"]
    : info.read_only ? ["ended: only serves its data", "ended"] : ["archiving", "ok"];
  if ($("mode").textContent !== word) $("mode").textContent = word;
  $("mode").className = `state ${kind}`;
  const left = info.ends_ns === null ? 0 : info.ends_ns / NS - at;
  const ends = info.ends_ns === null ? "never"
    : `${shortTime(info.ends_ns / NS, at)} (${left > 0 ? `in ${length(left)}` : `${length(left)} ago`})`;
  const facts = [
    fact("PVs", `${count(info.connected)} of ${count(info.pvs)} connected`, info.read_only || info.connected >= info.pvs - state.paused ? "" : "state bad"),
    fact(info.read_only ? "Ended" : "Ends", ends), fact("Owner", info.owner || "nobody"),
    fact("On disk", size(info.bytes)), fact("Stored", `${count(info.samples)} samples in ${length(at - info.started_ns / NS)}`),
  ];
  if (info.damaged) facts.push(fact("Damaged", `${count(info.damaged)} blocks set aside`, "state bad"));
  if (info.misdated) facts.push(fact("Times", `of ${count(info.misdated)} PVs ahead of the archiver's clock`, "state bad"));
  const skew = now() - at;
  if (Math.abs(skew) > 5) facts.push(fact("Clock", `differs from this computer's by ${length(skew)}`, "state bad"));
  $("facts").replaceChildren(...facts);
  for (const id of ["add", "pause", "resume", "remove"]) $(id).title = info.read_only ? "The archiver is past its end: it takes nothing more" : "";
  $("add").disabled = info.read_only;
  showTicked();
}

function pattern() {
  const text = $("filter").value.trim();
  return !text ? "*" : /[*?[]/.test(text) ? text : `*${text}*`;
}

function showStates(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const wanted = [["", `all ${count(all)}`], ...Object.entries(counts).sort().map(([name, n]) => [name, `${name} ${count(n)}`])];
  if (state.chosen && !counts[state.chosen]) wanted.push([state.chosen, `${state.chosen} 0`]);
  const box = $("states");
  wanted.forEach(([name, text], k) => {
    const button = box.children[k] ?? box.appendChild(Object.assign(document.createElement("button"), { type: "button" }));
    button.onclick = () => { state.chosen = name; state.offset = 0; refresh(); };
    if (button.textContent !== text) button.textContent = text;
    button.className = name && name !== "connected" ? `state ${name}` : "";
    button.setAttribute("aria-pressed", String(name === state.chosen));
  });
  while (box.children.length > wanted.length) box.lastElementChild.remove();
}

// A first press sorts names from A, and all else with the greatest first.
export function sortBy(order) {
  state.descending = order === state.order ? !state.descending : order !== "pv" && order !== "state";
  state.order = order;
  state.offset = 0;
  showOrder();
  return refresh();
}

export function showOrder() {
  for (const button of document.querySelectorAll("button.order")) {
    const sorted = button.dataset.order === state.order;
    button.parentElement.setAttribute("aria-sort", !sorted ? "none" : state.descending ? "descending" : "ascending");
  }
}

export async function refresh() {
  const serial = ++state.serial;
  const { order, descending } = state;
  const params = { pattern: pattern(), limit: ROWS, offset: state.offset, state: state.chosen || undefined, order, descending };
  try {
    const [info, list] = await Promise.all([ask("", PATIENCE), ask("/pvs", { params, ...PATIENCE })]);
    if (serial !== state.serial) return;
    sayAlways("");
    state.info = info;
    state.statuses = list.pvs;
    state.total = list.total;
    if (state.offset && !list.pvs.length) { state.offset = 0; await refresh(); return; }
    // Those that were paused on purpose are no cause for alarm.
    if (params.pattern === "*") state.paused = list.states.paused ?? 0;
    showInfo();
    showStates(list.states);
    showTable();
    if (list.pvs.some((one) => !state.lasts.has(one.pv))) await values();
  } catch (error) {
    if (serial !== state.serial) return;
    const since = state.info ? ` What is shown is of ${time(state.info.now_ns / NS)} ${zone.local ? "" : "UTC"}.` : "";
    sayAlways(`${error.message}${since}`);
  }
}

export function showTable() {
  const at = state.info.now_ns / NS;
  table.show(state.statuses, state.lasts, { now: at, colours: colours() });
  const first = state.total ? state.offset + 1 : 0;
  $("shown").textContent = `${first} to ${state.offset + state.statuses.length} of ${count(state.total)}`;
  $("previous").disabled = !state.offset;
  $("next").disabled = state.offset + ROWS >= state.total;
  $("all").checked = state.statuses.length > 0 && state.statuses.every((one) => table.ticked.has(one.pv));
}

export async function values() {
  const pvs = state.statuses.map((one) => one.pv);
  if (!pvs.length) return;
  try {
    const found = await ask("/last", { params: { pv: pvs, elements: 3 }, ...PATIENCE });
    state.lasts = new Map(found.map((one) => [one.pv, one]));
    showTable();
  } catch { /* The table says itself how old it is; a PV may just have been removed. */ }
}

export function showTicked() {
  const n = table.ticked.size, off = !n || state.info?.read_only;
  $("ticked").textContent = n ? `${count(n)} ticked` : "Tick PVs to pause, resume or remove them";
  for (const id of ["pause", "resume", "remove"]) $(id).disabled = Boolean(off);
}

export async function change(where, body) {
  const answer = await ask(where, { method: "POST", body });
  say("");
  return answer;
}

async function details(pv) {
  await trying(async () => {
    const status = state.statuses.find((one) => one.pv === pv);
    const [meta, events] = await Promise.all([
      ask("/metadata", { params: { pv } }), ask("/events", { params: { pv, start: "-1d" } }),
    ]);
    await showDetails(status, meta, events.events, state.info.now_ns / NS);
  });
}

export const table = new Table($("rows"), {
  onPlot: (pv) => toggle(pv), onTick: () => { showTicked(); showTable(); }, onDetails: details,
});
whenPlotted(() => table.paint(colours()));
