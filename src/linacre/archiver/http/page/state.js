// What the page knows and shows, and the one line that tells what went wrong.

import { colour } from "./plot.js";

export const $ = (id) => document.getElementById(id);
export const RANGES = [["10 min", 600], ["1 h", 3600], ["1 day", 86400], ["30 days", 30 * 86400], ["1 year", 365 * 86400]];

export const state = {
  info: null, statuses: [], total: 0, lasts: new Map(), offset: 0, chosen: "", order: "pv", descending: false,
  plotted: [], loaded: new Map(), kinds: new Map(), traces: new Map(), span: 3600, end: null, history: [],
  live: null, liveLost: 0, loading: null, dueAt: 0, serial: 0, paused: 0,
};
// `end` null: the range ends now.
export const now = () => Date.now() / 1000;
export const range = () => { const end = state.end ?? now(); return [end - state.span, end]; };
export const colours = () => new Map(state.plotted.map(({ pv, k }) => [pv, colour(k)]));

// --- what went wrong: one line ------------------------------------------------------------

let standing = "";
export function say(text) {
  const line = text || standing;
  $("error").hidden = !line;
  $("error").firstElementChild.textContent = line;
}
// What stays wrong until it is told to be right again, with "".
export function sayAlways(text) {
  const before = standing;
  standing = text && (standing || text);
  if (text || before) say("");
}
$("error").querySelector("button").addEventListener("click", () => { $("error").hidden = true; });

export async function trying(work) {
  try {
    const result = await work();
    return result;
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
    return undefined;
  }
}
