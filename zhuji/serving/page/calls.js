// The same request from a terminal and from Python, quoted so that whatever stands in the input survives.

import { copier } from "./copy.js";
import { chosen, fill, fresh, make } from "./dom.js";
import { hasKey, home } from "./server.js";
import { label, spoken } from "./words.js";

const KEY = "ZHUJI_KEY";
const KINDS = { csv: "text/csv", tsv: "text/tab-separated-values", jsonl: "application/jsonl" };

/** Draws into `place`, and shows its card, what does the same as a request: `path` and `body`, or `file` (its name) and `model`;
 * `single`: what JSON calls the file, which is then one input, such as a picture, and no rows. `save`: the file that the answer is. */
export function calls(place, request) {
  place.closest("section").hidden = false;
  const code = make("code");
  const pre = make("pre", { tabindex: "0", role: "region" }, code);
  label(pre, { "aria-label": "calls_code" });
  const name = fresh("way");
  const way = (value, title) =>
    make("label", {}, make("input", { type: "radio", name, value, checked: value === "curl" }), make("span", {}, title));
  const ways = make("fieldset", { class: "segments" },
    spoken("legend", "calls_how", {}, { class: "hidden" }), way("curl", "curl"), way("python", "Python"));
  const write = () => { code.textContent = chosen(ways) === "python" ? python(request) : curl(request); };
  ways.addEventListener("change", write);
  write();
  fill(place, make("div", { class: "row between" }, ways, copier(() => code.textContent)), pre,
    request.single ? spoken("p", "calls_file", { name: request.file }, { class: "quiet" }) : null,
    hasKey() ? spoken("p", "calls_key", {}, { class: "quiet" }) : null);
}

/** For a POSIX shell: between single quotes nothing has a meaning but the single quote itself. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** For the value of a curl form field, in which only these have a meaning. */
const field = (text) => `"${text.replace(/["\\]/g, "\\$&")}"`;

export function curl({ path, body, file, model, save }) {
  const lines = [`curl ${quoted(new URL(path, home).href)}`];
  // In double quotes, so that the shell puts the key in.
  if (hasKey()) lines.push(`-H "Authorization: Bearer $${KEY}"`);
  if (file) {
    lines.push(`-F ${quoted(`file=@${field(file)}`)}`, `--form-string ${quoted(`model=${model}`)}`);
  } else {
    if (body.stream) lines.push("-N");
    lines.push("-H 'Content-Type: application/json'", `--data-raw ${quoted(JSON.stringify(body))}`);
  }
  if (save) lines.push(`-o ${quoted(save)}`);
  return lines.join(" \\\n  ");
}

export function python({ path, body, file, model, single, save }) {
  const address = new URL(path, home);
  if (file && !single) address.searchParams.set("model", model);
  const key = hasKey() ? [`"Authorization": "Bearer " + os.environ["${KEY}"]`] : [];
  const headers = [`"Content-Type": ${literal(file && !single ? kindOf(file) : "application/json")}`, ...key].join(", ");
  const given = single
    ? `with open(${literal(file)}, "rb") as file:\n    ${single} = base64.b64encode(file.read()).decode()\n`
      + `body = json.dumps({"model": ${literal(model)}, "input": {"${single}": ${single}}}).encode()`
    : file
    ? `with open(${literal(file)}, "rb") as file:\n    body = file.read()`
    : `body = json.dumps(${literal(body)}).encode()`;
  const read = save
    ? `    with open(${literal(save)}, "wb") as file:\n        file.write(answer.read())`
    : body?.stream ? "    for line in answer:\n        print(line.decode().rstrip())" : "    print(json.load(answer))";
  return `${single ? "import base64\n" : ""}import json
${hasKey() ? "import os\n" : ""}import urllib.request

${given}
request = urllib.request.Request(${literal(address.href)}, body, {${headers}})
with urllib.request.urlopen(request) as answer:
${read}`;
}

/** A file's media type by its ending: how the server knows a kind of rows that comes as a body. */
const kindOf = (file) => KINDS[file.toLowerCase().split(".").pop()] ?? "text/plain";

/** Plain data as Python writes it. What JSON writes between quotes Python reads alike. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
}
