// The table of PVs: rows stay while their PV is shown, so that focus and ticks stay too.

import { NS, SEVERITIES, count, length, rate, shortTime, value } from "./text.js";

function cell(row, name = "") {
  const made = document.createElement("td");
  made.className = name;
  row.append(made);
  return made;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Table {
  constructor(body, { onPlot, onTick, onDetails }) {
    this.body = body;
    this.on = { onPlot, onTick, onDetails };
    this.rows = new Map();
    this.ticked = new Set();
  }

  show(statuses, lasts, { now, colours }) {
    const names = new Set(statuses.map((one) => one.pv));
    for (const [pv, row] of this.rows) if (!names.has(pv)) { row.element.remove(); this.rows.delete(pv); }
    statuses.forEach((status, k) => {
      const row = this.rows.get(status.pv) ?? this.make(status.pv);
      if (this.body.children[k] !== row.element) this.body.insertBefore(row.element, this.body.children[k] ?? null);
      this.fill(row, status, lasts.get(status.pv), now);
    });
    if (!statuses.length && !this.body.querySelector(".none")) this.none();
    else if (statuses.length) this.body.querySelector(".none")?.remove();
    this.paint(colours);
  }

  none() {
    const row = document.createElement("tr");
    row.className = "none";
    const only = cell(row, "quiet");
    only.colSpan = 9;
    only.textContent = "No PVs here. Add some, or change the filter.";
    this.body.append(row);
  }

  make(pv) {
    const element = document.createElement("tr");
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = this.ticked.has(pv);
    tick.setAttribute("aria-label", `Tick ${pv}`);
    tick.addEventListener("change", () => {
      if (tick.checked) this.ticked.add(pv); else this.ticked.delete(pv);
      this.on.onTick();
    });
    cell(element).append(tick);
    const plot = document.createElement("button");
    plot.type = "button";
    plot.className = "pv";
    const chip = document.createElement("span");
    chip.className = "chip";
    plot.append(chip, pv);
    plot.addEventListener("click", () => this.on.onPlot(pv));
    cell(element).append(plot);
    const stateCell = cell(element, "standing"), state = document.createElement("span"), since = document.createElement("small");
    stateCell.append(state, " ", since);
    const row = { element, tick, plot, chip, state, since, stateCell };
    row.rate = cell(element, "number");
    const valueCell = cell(element, "number value");
    row.valueCell = valueCell;
    row.value = document.createElement("span");
    row.severity = document.createElement("span");
    valueCell.append(row.value, row.severity);
    row.time = document.createElement("span");
    row.age = document.createElement("small");
    cell(element).append(row.time, " ", row.age);
    row.losses = cell(element, "number");
    row.drops = cell(element, "number");
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.textContent = "Details";
    more.setAttribute("aria-label", `Details of ${pv}`);
    more.addEventListener("click", () => this.on.onDetails(pv));
    cell(element).append(more);
    this.rows.set(pv, row);
    return row;
  }

  fill(row, status, last, now) {
    set(row.state, status.state);
    row.state.className = `state ${status.state}`;
    set(row.since, status.why || (status.since_ns ? length(now - status.since_ns / NS) : ""));
    row.since.title = status.why;
    set(row.rate, rate(status.rate_hz));
    if (last) {
      set(row.value, value(last));
      row.valueCell.title = row.value.textContent;
      set(row.severity, last.severity ? SEVERITIES[Math.min(3, last.severity)] : "");
      row.severity.className = `severity s${last.severity}`;
    }
    const at = (last?.time_ns || status.last_ns) / NS;
    set(row.time, at ? shortTime(at, now) : "never");
    set(row.age, at ? `${length(now - at)} ago` : "");
    set(row.losses, count(status.losses));
    row.losses.classList.toggle("some", status.losses > 0);
    set(row.drops, count(status.dropped));
    row.drops.classList.toggle("some", status.dropped > 0);
    row.drops.title = Object.entries(status.drops).map(([why, n]) => `${why}: ${n}`).join(", ");
  }

  paint(colours) {
    for (const [pv, row] of this.rows) {
      const drawn = colours.get(pv);
      row.plot.setAttribute("aria-pressed", String(drawn !== undefined));
      row.chip.style.background = drawn ?? "transparent";
      row.chip.style.outline = drawn ? "" : "1px solid currentColor";
    }
  }

  tickAll(on) {
    for (const [pv, row] of this.rows) {
      row.tick.checked = on;
      if (on) this.ticked.add(pv); else this.ticked.delete(pv);
    }
    this.on.onTick();
  }

  untick() {
    this.ticked.clear();
    for (const row of this.rows.values()) row.tick.checked = false;
    this.on.onTick();
  }
}
