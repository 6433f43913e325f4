// What asks before something is changed. Each gives what was said, or null.

import { NS, count, length, time } from "./text.js";

const $ = (id) => document.getElementById(id);

function opened(dialog, submit) {
  return new Promise((done) => {
    const form = dialog.querySelector("form");
    const problem = dialog.querySelector(".problem");
    if (problem) problem.textContent = "";
    let result = null;
    const onSubmit = async (event) => {
      event.preventDefault();
      try {
        result = await submit();
        dialog.close();
      } catch (error) {
        if (problem) problem.textContent = error.message;
      }
    };
    const cancel = dialog.querySelector(".cancel");
    const onCancel = () => dialog.close();
    const onClose = () => {
      form?.removeEventListener("submit", onSubmit);
      cancel.removeEventListener("click", onCancel);
      done(result);
    };
    form?.addEventListener("submit", onSubmit);
    cancel.addEventListener("click", onCancel);
    dialog.addEventListener("close", onClose, { once: true });
    dialog.showModal();
  });
}

export function namesOf(text) {
  const names = [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
  const glob = names.find((name) => name.includes("*"));
  if (glob) throw new Error(`${glob} is a pattern: a PV is added by its whole name.`);
  if (!names.length) throw new Error("Write at least one name.");
  return names;
}

// `send(specs)` may throw: it is told in the dialog, and what was written stays.
export function askToAdd(send) {
  const scan = () => { $("period-label").hidden = $("method").value !== "scan"; };
  $("method").onchange = scan;
  scan();
  return opened($("adding"), async () => {
    const specs = namesOf($("names").value).map((pv) => ({
      pv, provider: $("provider").value, method: $("method").value, period_s: Number($("period").value) || 1,
    }));
    const told = await send(specs);
    $("names").value = "";
    return told;
  });
}

export function askToRemove(pvs, send) {
  const many = pvs.length === 1 ? "this PV" : `these ${pvs.length} PVs`;
  const list = $("lost-names"), tick = $("delete-data"), button = $("removing").querySelector(".main");
  $("removing-title").textContent = pvs.length === 1 ? "Remove a PV?" : `Remove ${pvs.length} PVs?`;
  list.replaceChildren(...pvs.map((pv) => Object.assign(document.createElement("li"), { textContent: pv })));
  tick.checked = false;
  const tell = () => {
    $("lost-told").textContent = tick.checked
      ? `All samples that were ever stored of ${many} are deleted. They cannot be brought back.`
      : `No more samples are taken of ${many}. What is stored stays and can still be plotted and read.`;
    button.textContent = tick.checked ? "Remove, and delete the samples" : "Remove, keep the samples";
    button.classList.toggle("danger", tick.checked);
  };
  tick.onchange = tell;
  tell();
  return opened($("removing"), () => send(tick.checked));
}

export function askForToken(why) {
  $("token-told").textContent = `The archiver says: ${why}. Your token is kept until this tab is closed.`;
  $("token-input").value = "";
  return opened($("token"), async () => $("token-input").value.trim() || null);
}

export function showDetails(status, meta, events, now) {
  $("details-title").textContent = status.pv;
  const at = (ns) => (ns ? `${time(ns / NS, { fraction: true })} (${length(now - ns / NS)} ago)` : "never");
  const limits = (pair) => (pair ? `${pair[0] ?? "none"} … ${pair[1] ?? "none"}` : "");
  const facts = [
    ["State", `${status.state} since ${at(status.since_ns)}`], ["Why", status.why],
    ["Taken", status.method === "scan" ? `the newest value each ${status.period_s} s` : "each change"],
    ["Protocol", status.provider === "pva" ? "pvAccess" : "Channel Access"], ["Server", status.host],
    ["Type", [status.native, status.kind && `stored as ${status.kind}`].filter(Boolean).join(", ")],
    ["Fields", status.fields.join(", ")], ["Samples", `${count(status.samples)} since the archiver's start`],
    ["Newest sample", at(status.last_ns)], ["Added", at(status.added_ns)],
    ["First connected", at(status.first_connected_ns)], ["Connections", `${count(status.connections)}, of which ${count(status.losses)} were lost`],
    ["Dropped", Object.entries(status.drops).map(([why, n]) => `${count(n)} ${why.replaceAll("_", " ")}`).join(", ") || "none"],
    ["Description", meta?.description], ["Units", meta?.units], ["States", meta?.labels.join(", ")],
    ["Display limits", limits(meta?.display)], ["Warning limits", limits(meta?.warning)], ["Alarm limits", limits(meta?.alarm)],
  ];
  const made = facts.filter(([, text]) => text).flatMap(([name, text]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: text }),
  ]);
  $("details-facts").replaceChildren(...made);
  const lines = events.slice(-50).reverse().map((event) => {
    const detail = Object.entries(event.detail).filter(([, v]) => v !== false && v !== null).map(([k, v]) => `${k} ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
    return `${time(event.time_ns / NS)} ${event.kind}${detail ? `: ${detail}` : ""}`;
  });
  $("details-events").replaceChildren(...(lines.length ? lines : ["none"]).map(
    (text) => Object.assign(document.createElement("li"), { textContent: text })));
  return opened($("details"), async () => null);
}
