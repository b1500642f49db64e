// The server that this page came from, and what goes wrong with it. Nobody else is ever asked.

import { locale } from "./words.js";

/** Where the server's routes begin: the folder that the page lies in. */
export const home = new URL(".", document.baseURI);

let key = "";

/** The API key from now on; it lives in this variable and nowhere else. */
export const useKey = (value) => { key = value.trim(); };
export const hasKey = () => key !== "";

/** What went wrong. `kind`: away, busy, key, refused or broken; `wait`: seconds until asking again makes sense; `said` by the server. */
export class Trouble extends Error {
  constructor(kind, { said = "", status = 0, wait = null } = {}) {
    super(said || kind);
    Object.assign(this, { kind, said, status, wait });
  }
}

/** Asks a route. `body`: plain data or FormData; nothing for GET. Throws Trouble; an abort goes through. */
export async function ask(path, body, { signal, accept = "application/json" } = {}) {
  const headers = { Accept: accept, "Accept-Language": locale() };
  if (key) headers.Authorization = `Bearer ${key}`;
  const plain = body !== undefined && !(body instanceof FormData);
  if (plain) headers["Content-Type"] = "application/json";
  const method = body === undefined ? "GET" : "POST";
  let answer;
  try {
    answer = await fetch(new URL(path, home), {
      method, headers, signal, body: plain ? JSON.stringify(body) : body, credentials: "omit", cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("away");
  }
  if (!answer.ok) throw await troubleOf(answer);
  return answer;
}

/** What a route answers, as data, and the seconds that it took from here. */
export const data = (path, body, options) => timed(path, body, options, (answer) => answer.json());

/** What a route answers with a sound: its bytes as a Blob, and the seconds. */
export const sound = (path, body, options) => timed(path, body, { accept: "audio/wav", ...options }, (answer) => answer.blob());

async function timed(path, body, options, read) {
  const begun = performance.now();
  const answer = await ask(path, body, options);
  const found = await whole(() => read(answer));
  return { found, seconds: (performance.now() - begun) / 1000 };
}

/** Server-sent events of a route, `{name, data}` each; `name` is empty where the server gives none. */
export async function* events(path, body, { signal } = {}) {
  const answer = await ask(path, body, { signal, accept: "text/event-stream" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await whole(() => reader.read());
    if (done) return;
    const parts = (waiting + value).replace(/\r\n?/g, "\n").split("\n\n");
    waiting = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const said = (field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trim());
      if (said("data").length) yield { name: said("event").join(""), data: JSON.parse(said("data").join("\n")) };
    }
  }
}

/** An answer that breaks off is a server that went away. */
async function whole(read) {
  try {
    return await read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("away");
  }
}

async function troubleOf(answer) {
  const { status } = answer;
  let said = "";
  try {
    const { error } = await answer.json();
    said = String(error?.message ?? "");
  } catch {
    // What stands between this page and the server, a proxy say, may answer in its own way: the status still tells.
    said = answer.statusText;
  }
  const after = Number(answer.headers.get("Retry-After"));
  const wait = Number.isFinite(after) && after > 0 ? Math.ceil(after) : null;
  if (status === 401 || status === 403) return new Trouble("key", { said, status });
  if (status === 429 || status === 503) return new Trouble("busy", { said, status, wait: wait ?? 1 });
  return new Trouble(status >= 500 ? "broken" : "refused", { said, status });
}
