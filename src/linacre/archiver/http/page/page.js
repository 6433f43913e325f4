// The archiver's page: what its buttons do, and what is asked for again and again.

import { pause, token } from "./api.js";
import { askForToken, askToAdd, askToRemove } from "./dialogs.js";
import { ROWS, change, refresh, showInfo, showOrder, showTable, showTicked, sortBy, table, values } from "./listing.js";
import { draw, follow, go, goBack, recall, shift, stopLive, tick, zoom } from "./plotting.js";
import { $, RANGES, say, state, trying } from "./state.js";
import { fromInput, zone } from "./text.js";

const POLL_MS = 2000, VALUES_MS = 4000;

function wire() {
  token.onNeed(askForToken);
  for (const [text, span] of RANGES) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.addEventListener("click", () => {
      state.history.push([state.span, state.end]);
      state.span = span;
      state.end = null;
      draw();
    });
    $("ranges").append(button);
  }
  $("show").addEventListener("click", () => {
    const from = fromInput($("from").value), to = fromInput($("to").value);
    if (Number.isNaN(from + to)) return say("A time is written like 2026-11-24 10:00:00, or a part of it from the left.");
    if (from >= to) return say("The time from must be before the time to.");
    say("");
    return go(from, to);
  });
  for (const id of ["from", "to"]) {
    $(id).addEventListener("keydown", (event) => { if (event.key === "Enter") $("show").click(); });
  }
  $("earlier").addEventListener("click", () => shift(-0.5));
  $("later").addEventListener("click", () => shift(0.5));
  $("out").addEventListener("click", () => zoom(2));
  $("back").addEventListener("click", goBack);
  $("live").addEventListener("click", () => { if (state.live) stopLive(); else { follow(); draw(); } });
  $("plot").addEventListener("keydown", (event) => {
    const does = { ArrowLeft: () => shift(-0.25), ArrowRight: () => shift(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Backspace: goBack }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  });
  $("zone").addEventListener("click", () => {
    zone.local = !zone.local;
    localStorage.setItem("linacre-zone", zone.local ? "local" : "utc");
    showZone();
    if (state.info) { showInfo(); showTable(); }
    draw({ keep: true });
  });
  let waiting;
  $("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.offset = 0; refresh(); }, 200);
  });
  for (const button of document.querySelectorAll("button.order")) {
    button.addEventListener("click", () => sortBy(button.dataset.order));
  }
  $("all").addEventListener("change", (event) => table.tickAll(event.target.checked));
  $("previous").addEventListener("click", () => { state.offset = Math.max(0, state.offset - ROWS); refresh(); });
  $("next").addEventListener("click", () => { state.offset += ROWS; refresh(); });
  $("add").addEventListener("click", async () => {
    const told = await askToAdd((specs) => change("/pvs", specs));
    if (told) refresh();
  });
  for (const id of ["pause", "resume"]) {
    $(id).addEventListener("click", () => trying(async () => {
      await change(`/pvs/${id}`, { pvs: [...table.ticked] });
      table.untick();
      await refresh();
    }));
  }
  $("remove").addEventListener("click", async () => {
    const pvs = [...table.ticked].sort();
    const told = await askToRemove(pvs, (deleted) => change("/pvs/remove", { pvs, delete_data: deleted }));
    if (!told) return;
    table.untick();
    await refresh();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw({ keep: true }));
}

function showZone() {
  $("zone").textContent = zone.local ? "Times are local" : "Times in UTC";
}

// The next time is waited for from the end of the work: an archiver that is slow is not overrun.
async function again(work, wait) {
  for (;;) {
    await pause(wait);
    if (!document.hidden) await work();
  }
}

// A part did not come and all is about to be loaded again: nothing that is done here would stay.
if (loadingAgain) await new Promise(() => {});

// It loaded whole, and stayed.
setTimeout(() => sessionStorage.removeItem("linacre-tries"), 10000);
zone.local = localStorage.getItem("linacre-zone") === "local";
wire();
showZone();
showOrder();
recall();
showTicked();
await refresh();
draw();
again(refresh, POLL_MS);
again(values, VALUES_MS);
setInterval(tick, 250);
