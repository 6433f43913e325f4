// Asks the archiver. What it refuses is thrown as `Refused`, with its one line.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

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

export async function ask(where, { method = "GET", params, body, signal } = {}) {
  for (;;) {
    const headers = {};
    if (token.value) headers.Authorization = `Bearer ${token.value}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(address(where, params), {
        method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "The archiver does not answer: is it running, and is the network there?");
    }
    if (answer.ok) return answer.json();
    let detail = `${answer.status} ${answer.statusText}`;
    try { detail = (await answer.json()).detail; } catch { /* It was no answer of the archiver's. */ }
    if (answer.status !== 401) throw new Refused(answer.status, detail);
    // Several requests may be refused at once: the user is asked once for all.
    asking ??= askForToken(detail).finally(() => { asking = null; });
    const given = await asking;
    if (given === null) throw new Refused(401, detail);
    token.value = given;
  }
}
