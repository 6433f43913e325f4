// Asks the archiver. What it refuses is thrown as `Refused`, with its one line.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const NO_ANSWER = "The archiver does not answer: is it running, and is the network there?";
const TOO_LATE = "The archiver did not answer in time: is it busy?";
// A browser ends all that it is just connecting when an interface of its host comes or goes.
const AGAIN_MS = [100, 400, 1000];

let askForToken = async () => null;
let asking = null;

export const token = {
  get value() { return sessionStorage.getItem("linacre-token"); },
  set value(text) { sessionStorage.setItem("linacre-token", text); },
  // `ask(why)` gives a token, or null where the user does not want to.
  onNeed(ask) { askForToken = ask; },
};

export function address(where, params = {}) {
  const url = new URL(`api/v1${where}`, document.baseURI);
  url.hash = "";
  for (const [name, given] of Object.entries(params)) {
    for (const one of [given].flat()) if (one !== undefined && one !== null) url.searchParams.append(name, one);
  }
  return url;
}

export const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

// What only reads is asked for again where the network failed; a change may have been made.
async function send(url, request) {
  const waits = request.method === "GET" ? [...AGAIN_MS] : [];
  for (;;) {
    try {
      const answer = await fetch(url, request);
      const text = await answer.text();
      return { ok: answer.ok, status: answer.status, statusText: answer.statusText, text };
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (error.name === "TimeoutError") throw new Refused(0, TOO_LATE);
      if (!waits.length) throw new Refused(0, NO_ANSWER);
      await pause(waits.shift());
    }
  }
}

// `patienceMs`: how long an answer is waited for, in place of `signal`.
export async function ask(where, { method = "GET", params, body, signal, patienceMs } = {}) {
  for (;;) {
    const headers = {};
    if (token.value) headers.Authorization = `Bearer ${token.value}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await send(address(where, params), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      signal: patienceMs ? AbortSignal.timeout(patienceMs) : signal,
    });
    if (answer.ok) return JSON.parse(answer.text);
    let detail = `${answer.status} ${answer.statusText}`;
    try { detail = JSON.parse(answer.text).detail; } catch { /* It was no answer of the archiver's. */ }
    if (answer.status !== 401) throw new Refused(answer.status, detail);
    // Several requests may be refused at once: the user is asked once for all.
    asking ??= askForToken(detail).finally(() => { asking = null; });
    const given = await asking;
    if (given === null) throw new Refused(401, detail);
    token.value = given;
  }
}
