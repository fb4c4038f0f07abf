
"use strict";
// Every text of the model goes in as text, and never as markup.
const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};
const MOST_EXAMPLE = 50_000;
const MOST_SHOWN = 20_000;
const short = (number, digits = 4) => String(Number.isInteger(number) ? number : Number(number.toPrecision(digits)));
const written = (value) => (typeof value === "number" ? short(value, 6) : value === null ? "not finite" : String(value));

async function watch() {
  let ready = false;
  let text = "Not reached: the server does not answer.";
  try {
    const response = await fetch(facts.ready, { cache: "no-store" });
    ready = response.ok;
    text = ready ? "Ready." : `Not ready: ${await reason(response)}.`;
  } catch {
    // said above
  }
  const state = find("state");
  if (state.textContent !== text) state.textContent = text;
  state.dataset.ready = ready;
  setTimeout(watch, ready ? 15_000 : 2_000);
}

async function reason(response) {
  try {
    return String(JSON.parse(await response.text()).error);
  } catch {
    return `HTTP status ${response.status}`;
  }
}

/** Return a field under its label. */
function field(name, control) {
  return make("label", {}, name, control);
}

/** Return a list to choose from. */
function choice(values, missing) {
  const options = values.map((value) => make("option", { value, textContent: value }));
  return make("select", {}, ...(missing ? [make("option", { value: "", textContent: "(missing)" })] : []), ...options);
}

function column({ type, values, missing, open }, at) {
  if (values && !open) return choice(values, missing);
  const control = make("input", { type: "text", autocomplete: "off", required: !missing && type !== "text" });
  if (type === "number") control.inputMode = "decimal";
  if (open) control.setAttribute("list", `values-${at}`);
  return control;
}

/** Return the label of a column with its field, and the values that it suggests. */
function labelled({ name, values, open }, control, at) {
  const label = field(name, control);
  if (open) label.append(make("datalist", { id: `values-${at}` }, ...values.map((value) => make("option", { value }))));
  return label;
}

/** Return the value of a column as JSON has it: a text stands for a number too. */
function cell({ type, missing }, text) {
  return text === "" && missing && type !== "text" ? null : text;
}

const json = (value) => ({ body: JSON.stringify(value), type: "application/json" });

/** For each kind of model: its fields, a function that reads them as a request, and one for curl. */
const kinds = {
  image(fields) {
    const file = make("input", { type: "file", accept: facts.types.join(), required: true });
    const preview = make("img", { alt: "The image that was chosen", hidden: true });
    file.addEventListener("change", () => {
      URL.revokeObjectURL(preview.src);
      preview.hidden = !file.files.length;
      if (file.files.length) preview.src = URL.createObjectURL(file.files[0]);
    });
    fields.append(field("Image", file), preview);
    return () => ({
      body: file.files[0],
      type: facts.types.includes(file.files[0].type) ? file.files[0].type : "application/octet-stream",
    });
  },
  table(fields) {
    const controls = facts.columns.map(column);
    const rows = facts.columns.map((each, at) => labelled(each, controls[at], at));
    fields.append(make("div", { className: "fields" }, ...rows));
    return () =>
      json(Object.fromEntries(facts.columns.map((each, at) => [each.name, cell(each, controls[at].value)])));
  },
  text(fields) {
    const text = make("textarea", { required: true });
    fields.append(field("Text", text));
    return () => json({ text: text.value });
  },
  json(fields) {
    const text = make("textarea", { required: true, spellcheck: false, value: example(1) });
    fields.append(field(facts.columns ? "A record as JSON" : "A request of the Open Inference Protocol, as JSON", text));
    return () => {
      JSON.parse(text.value);
      return { body: text.value, type: "application/json" };
    };
  },
};

/** Return a request in its form, of zeros and first values. */
function example(indent) {
  if (facts.columns) return JSON.stringify(Object.fromEntries(facts.columns.map(({ name, sample }) => [name, sample])), null, indent);
  const inputs = facts.inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size) => (size < 0 ? 1 : size));
    const count = sizes.reduce((product, size) => product * size, 1);
    const zero = { BOOL: false, BYTES: "" }[datatype] ?? 0;
    return { name, shape: sizes, datatype, data: count > MOST_EXAMPLE ? [] : Array(count).fill(zero) };
  });
  return `{"inputs": [\n${inputs.map((input) => JSON.stringify(input)).join(",\n")}\n]}`;
}

/** Show scores as bars, against 1 or the largest. */
function bars(top) {
  const most = Math.max(1, ...top.map(({ score }) => Math.abs(score)));
  const rows = top.map(({ label, score }) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = `${Math.max(0, (60 * score) / most)}%`;
    return make("tr", {}, make("th", { scope: "row", textContent: label }), make("td", { className: "figure" }, bar, short(score)));
  });
  return make("table", { className: "bars" }, make("caption", { textContent: "Labels with their scores" }), make("tbody", {}, ...rows));
}

function brief(value) {
  const flat = Array.isArray(value) ? value.flat(Infinity) : [value];
  const some = flat.slice(0, 8).map(written).join(", ");
  return flat.length > 8 ? `${some}, … (${flat.length} in all)` : some;
}

function listed(pairs) {
  const rows = pairs.map(([name, value]) => make("tr", {}, make("th", { scope: "row", textContent: name }), make("td", { textContent: brief(value) })));
  return make("table", {}, make("caption", { textContent: "The answer" }), make("tbody", {}, ...rows));
}

/** Return an answer in words, and what shows it. */
function answered(document) {
  const first = document.predictions?.[0];
  if (first && facts.output === "classification") {
    return [`${first.label}, ${short(first.score)}.`, bars(first.top ?? [first])];
  }
  if (first && facts.output === "regression") {
    const text = Object.entries(first).map(([name, value]) => (name === "unit" ? value : short(value, 6))).join(" ");
    return [`${text}.`, ""];
  }
  return ["", listed(first ? Object.entries(first) : document.outputs.map(({ name, shape, data }) => [`${name} [${shape.join(", ")}]`, data]))];
}

function show(text, milliseconds) {
  const [words, view] = answered(JSON.parse(text));
  find("said").replaceChildren(make("strong", { textContent: words }), ` Answered in ${short(milliseconds)} ms.`);
  const cut = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
  find("answer").replaceChildren(
    view,
    make("details", {}, make("summary", { textContent: "As JSON" }), make("pre", { textContent: cut, tabIndex: 0 })),
  );
}

/** Mark the fields that are still to be filled in, go to the first, and return what they are in words; else nothing. */
function lacking(key) {
  const controls = [...find("fields").querySelectorAll("input, select, textarea")];
  const names = (some) => some.map((control) => control.labels[0].firstChild.textContent).join(", ");
  const absent = controls.filter((control) => control.validity.valueMissing);
  for (const control of controls) control.setAttribute("aria-invalid", absent.includes(control));
  const asked = controls.filter((control) => control !== key);
  const empty = asked.every((control) => !control.value);
  (absent[0] ?? (empty ? asked[0] : null))?.focus();
  if (absent.length) return `Still missing: ${names(absent)}.`;
  return empty ? `Nothing is filled in; give one at least of: ${names(asked)}.` : "";
}

async function send(read, key) {
  find("error").textContent = find("said").textContent = "";
  find("answer").replaceChildren();
  const missing = lacking(key);
  if (missing) {
    find("error").textContent = missing;
    return;
  }
  try {
    const { body, type } = read();
    const headers = { "Content-Type": type, ...(key?.value ? { Authorization: `Bearer ${key.value}` } : {}) };
    const begin = performance.now();
    const response = await fetch(facts.path, { method: "POST", headers, body });
    if (!response.ok) {
      find("error").textContent = `Refused: ${await reason(response)}.`;
      return;
    }
    const text = await response.text();
    show(text, performance.now() - begin);
  } catch (error) {
    find("error").textContent =
      error instanceof SyntaxError ? `This is no JSON: ${error.message}.` : "The server does not answer.";
  }
}

function curl() {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const key = facts.keys ? ' -H "Authorization: Bearer $KEY"' : "";
  const [type, data] = { image: ["image/jpeg", "@photo.jpg"], text: ["application/json", quoted('{"text": "…"}')] }[facts.kind] ?? [
    "application/json", facts.columns ? quoted(example()) : "@request.json",
  ];
  find("curl").textContent = `curl${key} -H 'Content-Type: ${type}' --data-binary ${data} ${quoted(new URL(facts.path, location.href).href)}`;
}

const read = kinds[facts.kind](find("fields"));
let key = null;
if (facts.keys) {
  // No password field: browsers would offer to store it.
  key = make("input", { type: "text", className: "key", autocomplete: "off", spellcheck: false, required: true });
  find("fields").append(field("API key, which stays on this page", key));
}
let busy = false;
find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  await send(read, key);
  busy = false;
});
find("form").hidden = false;
curl();
watch();
