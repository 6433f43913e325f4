// Numbers, times and sizes as people read them. Times are seconds since 1970 unless named ns.

export const NS = 1e9;
let local = false;

export const zone = {
  get local() { return local; },
  set local(value) { local = value; },
  get name() {
    return local ? `local time (${Intl.DateTimeFormat().resolvedOptions().timeZone})` : "UTC";
  },
};

const two = (n, width = 2) => String(n).padStart(width, "0");

function parts(seconds) {
  const at = new Date(seconds * 1000);
  const get = (what) => at[`get${local ? "" : "UTC"}${what}`]();
  return {
    day: `${get("FullYear")}-${two(get("Month") + 1)}-${two(get("Date"))}`,
    clock: `${two(get("Hours"))}:${two(get("Minutes"))}:${two(get("Seconds"))}`,
    fraction: two(get("Milliseconds"), 3),
  };
}

export function time(seconds, { fraction = false } = {}) {
  const p = parts(seconds);
  return `${p.day} ${p.clock}${fraction ? `.${p.fraction}` : ""}`;
}

// Without the date where it is today's.
export function shortTime(seconds, now) {
  const p = parts(seconds);
  return p.day === parts(now).day ? p.clock : `${p.day} ${p.clock}`;
}

// Reads what `time` writes, or a part of it from the left; NaN where it is no time.
export function fromInput(text) {
  const form = /^(\d{4})-(\d\d)(?:-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?$/;
  const [, year, month, day = "01", hour = "00", minute = "00", second = "00"] = form.exec(text.trim()) ?? [];
  if (!year) return NaN;
  const whole = `${year}-${month}-${day}T${hour}:${minute}:00`;
  return new Date(local ? whole : `${whole}Z`).getTime() / 1000 + Number(second);
}

export function length(seconds) {
  const s = Math.abs(seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let n = bytes, k = 0;
  while (Math.round(n) >= 1024 && k < units.length - 1) { n /= 1024; k += 1; }
  return `${k && n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[k]}`;
}

export function count(n) {
  return n.toLocaleString("en-GB");
}

export function rate(hz) {
  if (!hz) return "0";
  if (hz >= 0.95) return `${hz >= 99.5 ? Math.round(hz) : Number(hz.toPrecision(2))} /s`;
  if (hz * 60 >= 0.95) return `${Number((hz * 60).toPrecision(2))} /min`;
  return `${Number((hz * 3600).toPrecision(2))} /h`;
}

export function number(value) {
  if (value === null || value === undefined) return "not a number";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const size = Math.abs(value);
  return size >= 1e7 || size < 1e-4 ? value.toExponential(4) : String(Number(value.toPrecision(6)));
}

export function value(last) {
  if (last.time_ns === null) return "none yet";
  let text;
  if (last.label !== null) text = last.label;
  else if (typeof last.value === "string") text = last.value;
  else if (last.value === null || typeof last.value === "number") text = number(last.value);
  else if (Array.isArray(last.value)) {
    const shown = last.value.slice(0, 3).map((v) => (typeof v === "string" ? v : number(v)));
    text = `${last.elements} × [${shown.join(", ")}${last.elements > shown.length ? ", …" : ""}]`;
  } else text = JSON.stringify(last.value);
  return last.units && typeof last.value === "number" && last.label === null ? `${text} ${last.units}` : text;
}

export const SEVERITIES = ["", "MINOR", "MAJOR", "INVALID"];
