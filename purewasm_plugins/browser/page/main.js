// @ts-check
/** The page: a list of plugins, the form of a tool, and the answers of the workbench in the worker. */

import { Console } from "./console.js";
import { DebugTab } from "./debug.js";
import { byId, duration, h, remember, remembered, reveal, scrollTo, size, tabList, toast } from "./dom.js";
import { connectDrops } from "./drops.js";
import { EditTab } from "./edit.js";
import { FilesTab } from "./files.js";
import { commandForm, functionForm, toolForm } from "./form.js";
import { FunctionsTab } from "./functions.js";
import { Ended, Host } from "./host.js";
import { interfaceTab } from "./interface.js";
import { MemoryTab } from "./memory.js";
import { showError, showExit, showNote, showResult } from "./result.js";
import { readAddress, writeAddress } from "./share.js";

/** The most bytes of a file that the page loads. */
const LARGEST_FILE = 32 * 1024 * 1024;

/** @type {any} */
let config;
/** @type {Host} */
let host;
/** What is loaded, or being loaded; of the Edit tab's text, `edited` is the version. @type {{file: string, data?: ArrayBuffer, text?: string, edited?: number, entry: any, answer?: any} | null} */
let current = null;
/** The form that is open, of a tool or of a function; a command has neither. @type {{tool?: any, callable?: any, form: ReturnType<typeof toolForm> | ReturnType<typeof commandForm>} | null} */
let open = null;
let defaults = { timeout: 30, fuel: null, memory_pages: 1024 };
let detail = "functions";
/** The call that the worker runs now. @type {{started: number, ended: Promise<any>} | null} */
let job = null;
/** The number of the newest request for a plugin; answers to earlier requests are ignored. */
let turn = 0;

/** Milliseconds that the running call gets to finish before the worker is ended for another plugin. */
const GRACE = 800;

const functions = new FunctionsTab((index) => ask("function", { index }));
const memory = new MemoryTab((start, length) => ask("memory", { start, size: length }));
const debug = new DebugTab(startDebugging, askDebugger, endDebugging);
const files = new FilesTab(askFiles);
const edit = new EditTab({ ask: askAboutText, run: () => runText(run), debug: () => runText(debugCall), share });
const output = new Console();

/** Call a method of the workbench; where the worker is ended meanwhile, return an error to show. @param {string} method @param {any} params */
async function ask(method, params) {
  try {
    return await host.call(method, params);
  } catch (error) {
    if (error instanceof Ended) return { error: { message: "The plugin was stopped. Choose it again." } };
    throw error;
  }
}

/** Open a session of the debugger on the call that the form describes. @returns {Promise<any>} */
async function startDebugging() {
  if (!open || job) return null;
  if (stale()) return { error: { message: "The text in the Edit tab has changed since it was loaded. Press Run or Debug there." } };
  return busy(`Opening the debugger on ${nameOfCall()}`, () => host.call("debug", { do: "open", ...call() }, undefined, debug.show));
}

/** What the open form asks for, as the workbench takes it. */
function call() {
  const { tool, callable, form } = /** @type {NonNullable<typeof open>} */ (open);
  if (callable) return { function: callable.name, ...form.read() };
  return tool ? { tool: tool.index, ...form.read() } : { name: current?.file, ...form.read() };
}

function nameOfCall() {
  return (open?.tool ?? open?.callable)?.name ?? current?.file;
}

/** @param {any} request */
async function askDebugger(request) {
  try {
    return await host.call("debug", request, undefined, debug.show);
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    if (error.crashed) await crashed(error);
    return { lost: true, error: { message: SESSION_LOST } };
  }
}

/** End the worker, which a move of the debugger does not leave free. */
async function endDebugging() {
  endJob();
  await load("Starting again");
  if (current?.answer?.wasi) files.open();
}

/** @param {any} request @param {ArrayBuffer} [data] */
async function askFiles(request, data) {
  try {
    return await host.call("files", request, data);
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    return { error: { message: "The files were not reached: the module was stopped meanwhile." } };
  }
}

/** @param {string} method @param {any} params */
async function askAboutText(method, params) {
  if (!host) return { lost: true };
  try {
    return await host.call(method, params);
  } catch (error) {
    if (error instanceof Ended || !byId("boot").hidden) return { lost: true };
    throw error;
  }
}

const SESSION_LOST = "The debugger session was ended together with the plugin. You can open the call again.";

/* Starting */

async function start() {
  connectPage();
  try {
    const response = await fetch("config.json");
    if (!response.ok) throw new Error(`config.json: ${response.status} ${response.statusText}`);
    config = await response.json();
    drawPicker();
    await boot();
  } catch (error) {
    bootFailed(error);
  }
}

async function boot() {
  status("loading", "Loading");
  host = new Host(config, ({ text, fraction }) => {
    byId("boot-text").textContent = text + " …";
    byId("boot-progress").value = fraction;
    status("loading", text);
  });
  edit.start(config.texts);
  // One can type while Python is fetched.
  const editing = readAddress().edit;
  if (editing) await openFromAddress();
  const about = await host.ready;
  byId("boot").hidden = true;
  defaults = about.limits;
  drawEngines(about.engines);
  drawLimits();
  status("ready", `Ready: ${about.python} with version ${about.version}, started in ${duration(about.startMs)}`);
  if (!editing) await openFromAddress();
}

/** @param {any} error */
function bootFailed(error) {
  status("failed", "Python could not be loaded");
  byId("boot-text").textContent = `Python could not be loaded: ${error?.message ?? error}`;
  byId("boot-progress").hidden = true;
  const again = byId("boot-again");
  again.hidden = false;
  again.onclick = () => location.reload();
}

/** @param {"loading" | "ready" | "busy" | "failed"} state @param {string} text */
function status(state, text) {
  const element = byId("status");
  if (element.dataset.state !== state) element.dataset.state = state;
  byId("status-text").textContent = text;
}

/** @param {string[]} engines */
function drawEngines(engines) {
  const wanted = readAddress().engine ?? engines[0];
  const names = /** @type {Record<string, string>} */ ({ translator: "translator (fast)", pywasm: "pywasm (step by step)" });
  const select = byId("engine");
  select.replaceChildren(...engines.map((name) => h("option", { value: name, selected: name === wanted }, names[name] ?? name)));
  select.disabled = engines.length < 2;
}

function drawLimits() {
  for (const [name, value] of Object.entries(defaults)) byId("limits").querySelector(`[name=${name}]`).value = value ?? "";
}

function limits() {
  /** @type {Record<string, number | null>} */
  const chosen = {};
  for (const name of Object.keys(defaults)) {
    const text = byId("limits").querySelector(`[name=${name}]`).value;
    chosen[name] = text === "" ? null : Number(text);
  }
  return chosen;
}

/* Picking a plugin */

function drawPicker() {
  /** @type {Map<string, HTMLElement[]>} */
  const groups = new Map();
  for (const entry of config.plugins) {
    const item = h("li", null, h("button", { type: "button", "data-file": entry.file, onclick: () => openBundled(entry.file) }, h("b", null, entry.title), h("small", null, entry.summary)));
    groups.set(entry.group, [...(groups.get(entry.group) ?? []), item]);
  }
  if (config.texts.length) {
    const write = h("li", null, h("button", { type: "button", id: "write", "data-file": "", onclick: showEditor }, h("b", null, "your own"), h("small", null, "Write one as text, and run it")));
    const [first] = groups.values();
    first?.push(write);
  }
  byId("plugins").replaceChildren(...[...groups].map(([title, items]) => h("section", null, h("h3", null, title), h("ul", null, items))));
}

async function openFromAddress() {
  const { plugin, tool, input, text, edit: wanted } = readAddress();
  const start = tool || input !== null ? { tool, input } : undefined;
  if (wanted) {
    linked = start;
    showEditor();
    // The text of a link is shown, and runs only when the visitor wants it.
    if (text !== null) await edit.openLink(text);
    return;
  }
  if (plugin === null) return config.plugins.length ? openBundled(config.plugins[0].file, start) : undefined;
  if (config.plugins.some((/** @type {any} */ entry) => entry.file === plugin)) return openBundled(plugin, start);
  waiting = { plugin, start };
  showNote(byId("result"), `This link is for the plugin “${plugin}”`, "A link contains the plugin's name and the input, but not the plugin. Drop the file on this page to load it with this input.");
}

/** The tool and the input of a link with a text, until that is run. @type {any} */
let linked;

/** The link's plugin and input, while the file is not yet loaded. @type {{plugin: string, start: any} | null} */
let waiting = null;

/** @param {string} file @param {any} [start] */
async function openBundled(file, start) {
  const entry = config.plugins.find((/** @type {any} */ other) => other.file === file);
  const own = forget(file);
  try {
    const response = await fetch("plugins/" + encodeURIComponent(file));
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    const data = await response.arrayBuffer();
    // The visitor may have picked another plugin meanwhile.
    if (own === turn) await openPlugin({ file, data, entry }, start);
  } catch (error) {
    if (!(error instanceof Ended)) fail("NetworkError", `${file} could not be fetched: ${/** @type {any} */ (error).message}`);
  }
}

/** The entry of a file that is not one of the examples. */
const DROPPED = { inputs: {}, hint: "" };

/** @param {File} file */
async function openFile(file) {
  if (isText(file)) return openTextFile(file);
  if (file.size > LARGEST_FILE) {
    forget(file.name);
    await makeRoom();
    fail("FileTooLarge", `${file.name} has ${size(file.size)}; the playground takes files of up to ${size(LARGEST_FILE)}.`, "The Python package loads larger files.");
    return;
  }
  let data;
  try {
    data = await file.arrayBuffer();
  } catch (error) {
    fail("FileError", `${file.name} could not be read: ${/** @type {any} */ (error).message}`);
    return;
  }
  const start = waiting?.plugin === file.name ? waiting.start : undefined;
  await openPlugin({ file: file.name, data, entry: DROPPED }, start);
}

/** @param {File} file */
const isText = (file) => /\.wat$/i.test(file.name);

/** @param {File} file */
async function openTextFile(file) {
  showEditor();
  try {
    if (file.size > LARGEST_FILE) throw new Error(`it has ${size(file.size)}`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    edit.openText(text, file.name, `The text of ${file.name}.`);
  } catch (error) {
    toast(`${file.name} is no text that could be read: ${/** @type {any} */ (error).message}`);
  }
}

/* The text of the Edit tab */

/** Show the Edit tab. */
function showEditor() {
  detail = "edit";
  const card = byId("details");
  if (card.hidden || !card.firstChild) drawDetails();
  else showTab("edit");
  scrollTo(byId("details"));
}

/** Whether the module that is loaded is that of the text, before it was changed. */
function stale() {
  return current?.edited !== undefined && current.edited !== edit.version;
}

/** Load the text, unless it is loaded, and do something with it. @param {() => Promise<void>} what */
async function runText(what) {
  if (job) return toast("Python is busy: stop the call first");
  if (!(await edit.valid())) return showTab("edit");
  if (current?.edited !== edit.version || !current?.answer) {
    const { version, name, inputs, editor } = edit;
    // The input stays while the same text is changed.
    const start = current?.entry.inputs === inputs ? formState() : linked;
    linked = undefined;
    await openPlugin({ file: `${name || "module"}.wat`, text: editor.text, edited: version, entry: { inputs, hint: "" } }, start);
  }
  if (current?.edited !== edit.version) return;
  if (open) await what();
  else byId("result").scrollIntoView({ block: "nearest" });
}

/** What the open form says, for the form of the next version of the same module. */
function formState() {
  return open ? { tool: (open.tool ?? open.callable)?.name, input: open.form.shareable() } : undefined;
}

/** Close the open plugin before the next one. @param {string} file @returns {number} the number of this request */
function forget(file) {
  current = open = null;
  debug.close();
  byId("plugin").dataset.file = "";
  markPicked(file);
  const editing = edit.element.isConnected;
  for (const id of editing ? ["plugin", "result"] : ["plugin", "details", "result"]) byId(id).hidden = true;
  if (editing) edit.offer(null);
  return ++turn;
}

/** Wait until the worker is free; a call that does not end in `GRACE` is ended. */
async function makeRoom() {
  while (job) {
    const own = job;
    const left = GRACE - (performance.now() - own.started);
    await Promise.race([own.ended, new Promise((resolve) => setTimeout(resolve, Math.max(0, left)))]);
    if (job === own) endJob();
  }
}

/** @param {string} type @param {string} message @param {string} [hint] */
function fail(type, message, hint) {
  showError(byId("result"), { type, message, hint, frames: [], hidden: 0, reason: null }, showFrame);
}

/** @param {string} file */
function markPicked(file) {
  for (const button of byId("plugins").querySelectorAll("button")) {
    const on = button.dataset.file === file;
    button.setAttribute("aria-current", String(on));
    // Wide windows scroll the whole column, narrow ones the row of plugins.
    if (on) for (const container of document.querySelectorAll(".picker, #plugins")) reveal(container, button);
  }
}

/** @param {NonNullable<typeof current>} loaded its entry has inputs and a hint @param {any} [start] */
async function openPlugin(loaded, start) {
  const own = forget(loaded.edited === undefined ? loaded.file : "");
  waiting = null;
  await makeRoom();
  if (own !== turn) return;
  current = loaded;
  output.begin();
  const answer = await load(`Loading ${loaded.file}`, takeOutput);
  if (!answer || current !== loaded) return;
  current.answer = answer;
  drawPlugin(start);
  if (answer.error) showError(byId("result"), answer.error, showFrame);
  else if (output.end()) showNote(byId("result"), "Loaded", "It wrote this meanwhile.");
  showOutput();
  drawDetails();
}

/** Load the current plugin in the worker. @param {string} text the status meanwhile @param {import("./host.js").Show} [show] */
async function load(text, show) {
  if (!current) return null;
  const { file, data, edited } = current;
  const answer = await busy(text, () => host.call("load", { engine: byId("engine").value || null, limits: limits(), text: current?.text ?? null }, data, show));
  if (answer?.module) {
    memory.show(answer.memory, false);
  }
  if (edited === undefined) writeAddress({ plugin: file, engine: chosenEngine() });
  else if (!readAddress().text) writeAddress({ engine: chosenEngine() });
  return answer;
}

/** The name of the engine, or undefined for the default. */
function chosenEngine() {
  const select = byId("engine");
  return select.selectedIndex > 0 ? select.value : undefined;
}

/* The plugin's card */

/** @param {any} [start] */
function drawPlugin(start) {
  const card = byId("plugin");
  const { file, answer, entry } = /** @type {any} */ (current);
  const { plugin } = answer;
  card.hidden = false;
  card.dataset.file = file;
  if (answer.command) return drawCommand(card, start);
  if (answer.callable) return drawFunctions(card, start);
  if (!plugin) {
    card.replaceChildren(h("div.title", null, h("h2", null, file), h("span.note", null, size(answer.size))));
    return;
  }
  const body = h("div", { id: "tool" });
  const tools = plugin.tools;
  const wanted = tools.find((/** @type {any} */ tool) => tool.name === start?.tool) ?? tools[0];
  /** @param {string} index @param {any} [given] */
  const choose = (index, given) => drawTool(body, tools[Number(index)], given ?? entry.inputs[tools[Number(index)].name]);
  card.replaceChildren(
    h("div.title", null, h("h2", null, plugin.name || "(no name)"), h("span.badge", null, `version ${plugin.version}`), h("span.note", null, `${file} · ${size(answer.size)} · loaded in ${duration(answer.ms)}`)),
    h("p.description", null, plugin.description),
    entry.hint && h("p.hint", null, entry.hint),
    tools.length > 1 ? tabList("Tools", tools.map((/** @type {any} */ tool) => ({ id: String(tool.index), text: tool.name || `tool ${tool.index}` })), String(wanted.index), choose, "tool") : "",
    body,
  );
  if (wanted) choose(String(wanted.index), start?.input ?? undefined);
  else body.replaceChildren(h("p.note", null, "The plugin has no tools."));
}

/** @param {HTMLElement} card @param {any} [start] */
function drawCommand(card, start) {
  const { file, answer, entry } = /** @type {any} */ (current);
  const form = commandForm(start?.input ?? entry.inputs._start);
  open = { tool: null, form };
  card.replaceChildren(
    h("div.title", null, h("h2", null, file), h("span.badge", null, "command"), h("span.note", null, `${size(answer.size)} · loaded in ${duration(answer.ms)}`)),
    h("p.description", null, "A program for WASI: it runs once, from its start to its exit code."),
    entry.hint && h("p.hint", null, entry.hint),
    h("div", { id: "tool" }, formElement(form)),
  );
  if (job) markBusy(true);
}

/** @param {HTMLElement} card @param {any} [start] */
function drawFunctions(card, start) {
  const { file, answer, entry } = /** @type {any} */ (current);
  const body = h("div", { id: "tool" });
  const all = answer.callable;
  const wanted = Math.max(0, all.findIndex((/** @type {any} */ one) => one.name === start?.tool));
  /** @param {string} index @param {any} [given] */
  const choose = (index, given) => {
    const callable = all[Number(index)];
    const form = functionForm(callable, given ?? entry.inputs[callable.name]);
    open = { callable, form };
    body.replaceChildren(h("p", null, h("b.mono", null, callable.name), " ", h("code.note", null, callable.type)), formElement(form));
    if (job) markBusy(true);
  };
  card.replaceChildren(
    h("div.title", null, h("h2", null, file), h("span.badge", null, "module"), h("span.note", null, `${size(answer.size)} · loaded in ${duration(answer.ms)}`)),
    h("p.description", null, "No plugin: its functions can be called one by one."),
    all.length > 1 ? tabList("Functions", all.map((/** @type {any} */ one, /** @type {number} */ at) => ({ id: String(at), text: one.name || "(no name)" })), String(wanted), choose, "tool") : "",
    body,
  );
  choose(String(wanted), start?.input);
}

/** @param {HTMLElement} body @param {any} tool @param {any} given */
function drawTool(body, tool, given) {
  const form = toolForm(tool, given);
  open = { tool, form };
  const schema = tool.schema && h("details.schema", null, h("summary", null, "JSON Schema of the arguments"), h("pre.text", null, JSON.stringify(tool.schema, null, 2)));
  body.replaceChildren(
    h("p", null, h("b.mono", null, tool.name), tool.description ? h("span.description", null, ` — ${tool.description}`) : ""),
    formElement(form),
    schema ?? "",
  );
  if (job) markBusy(true);
}

/** A form with its buttons. @param {{element: HTMLElement}} form */
function formElement(form) {
  return h("form.tool", { novalidate: true, onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); run(); } },
    form.element,
    h("div.actions", null,
      h("button.primary", { type: "submit", id: "run" }, "Run"),
      h("button", { type: "button", id: "debug", title: "Step through this call, forwards and backwards", onclick: debugCall }, "Debug"),
      h("button.danger", { type: "button", id: "stop", hidden: true, onclick: stop }, "Stop"),
      h("span.note", null, h("kbd", null, "Ctrl"), " ", h("kbd", null, "Enter"), " runs, ", h("kbd", null, "Esc"), " stops")));
}

/* Running */

async function run() {
  if (!open || !current || job) return;
  if (stale()) return runText(run);
  const { tool, callable, form } = open;
  if (current.edited === undefined) writeAddress({ plugin: current.file, tool: (tool ?? callable)?.name, input: form.shareable(), engine: chosenEngine() });
  output.begin();
  const method = tool ? "run" : callable ? "call" : "start";
  const answer = await busy(`Running ${nameOfCall()}`, () => host.call(method, call(), undefined, takeOutput));
  if (!answer) return;
  const card = byId("result");
  if (answer.ms === undefined) showError(card, answer.error, showFrame);
  else if (tool || callable) showResult(card, answer, { tool: (tool ?? callable).name, open: showFrame });
  else showExit(card, answer, showFrame);
  showOutput();
  card.scrollIntoView({ block: "nearest" });
  if (answer.memory) memory.show(answer.memory, true);
  if (detail === "memory") memory.open();
  if (current?.answer?.wasi) files.open();
}

/** Show what a module has just written; the first of a call takes the place of the last result. @param {number} stream @param {string} text */
function takeOutput(stream, text) {
  const card = byId("result");
  if (output.stale) showNote(card, "Running", "What it writes appears here.");
  output.write(stream, text);
  if (output.element.parentElement !== card) card.append(output.element);
}

/** Put the console under the result, if something was written. */
function showOutput() {
  if (!output.end()) return;
  byId("result").append(output.element);
  output.scroll();
}

/** Show the Debug tab and open a session on the call in the form. */
async function debugCall() {
  if (job) return;
  if (stale()) return runText(debugCall);
  showTab("debug");
  await debug.open();
  scrollTo(debug.element);
}

/** @param {string} id */
function showTab(id) {
  /** @type {any} */ (byId("details").querySelector(`[data-id="${id}"]`))?.click();
}

/**
 * Wait for the worker, and meanwhile show the time and the Stop button.
 * @param {string} text
 * @param {() => Promise<any>} work
 * @returns {Promise<any>} the answer, or null where the call was stopped
 */
async function busy(text, work) {
  const own = { started: performance.now(), ended: Promise.resolve() };
  job = own;
  const tick = () => {
    const seconds = (performance.now() - own.started) / 1000;
    status("busy", seconds < 0.4 ? text : `${text}: ${seconds.toFixed(1)} s`);
  };
  tick();
  const timer = setInterval(tick, 100);
  // The delay keeps the buttons from flickering at short calls.
  const shown = setTimeout(() => job === own && markBusy(true), 150);
  const answered = work();
  own.ended = answered.then(() => {}, () => {});
  try {
    const answer = await answered;
    if (job !== own) return null;
    status("ready", `Ready: the last call took ${duration(performance.now() - own.started)}`);
    return answer;
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    if (error.crashed) await crashed(error);
    return null;
  } finally {
    clearInterval(timer);
    clearTimeout(shown);
    if (job === own) {
      job = null;
      markBusy(false);
    }
  }
}

/** @param {boolean} on */
function markBusy(on) {
  const run = byId("run");
  if (run) run.disabled = byId("debug").disabled = on;
  const stop = byId("stop");
  if (stop) stop.hidden = !on;
}

/** End the worker, and with it the running call and the loaded plugin. */
function endJob() {
  job = null;
  markBusy(false);
  host.stop();
  if (debug.state) debug.close(SESSION_LOST);
}

/** Stop the call, and load the plugin again in another worker. */
async function stop() {
  if (!job) return;
  const loading = !current?.answer;
  const wasi = current?.answer?.wasi;
  const started = performance.now();
  endJob();
  if (loading) {
    status("ready", "Stopped");
    showNote(byId("result"), "Stopped", "It had not finished loading. Choose another one.");
    showOutput();
    return;
  }
  const lost = open?.tool ? " and the plugin is loaded again; its earlier state is lost" : "";
  showNote(byId("result"), "Stopped", `The call was ended${lost}.${wasi ? " The files are as they were before the call." : ""}`);
  showOutput();
  const answer = await load("Starting again");
  if (wasi) files.open();
  if (answer) status("ready", `Stopped; ready again after ${duration(performance.now() - started)}`);
}

/** @param {Ended} error */
async function crashed(error) {
  job = null;
  markBusy(false);
  status("ready", "Python was started again");
  const parts = { type: "Crash", message: "The call crashed Python in this page's worker.", hint: "Python was started again; the page can still be used.", traceback: error.message, frames: [], hidden: 0, reason: null };
  showError(byId("result"), parts, showFrame);
  showOutput();
  const { plugin, command, callable } = current?.answer ?? {};
  if (plugin || command || callable) await load("Starting again");
}

/* Looking inside */

/** What the tabs show. */
const panel = h("div", { id: "panel", role: "tabpanel" });

function drawDetails() {
  const card = byId("details");
  const { module, plugin, command, callable, wasi } = current?.answer ?? {};
  card.hidden = !module && detail !== "edit";
  if (card.hidden) return;
  edit.offer(module && current?.edited === undefined ? current?.file ?? null : null);
  if (module) functions.show(module);
  if (!plugin && !command && !callable) debug.refuse("There is no call to debug: this module could not be loaded as a plugin.");
  else if (plugin && !plugin.tools.length) debug.refuse("There is no call to debug: the plugin has no tools.");
  const filesTab = { id: "files", text: "Files" };
  if (command && wasi && detail !== "edit") detail = "files";
  else if (detail === "files" && !wasi) detail = "functions";
  const ofModule = [{ id: "functions", text: "Functions" }, { id: "debug", text: "Debug" }, { id: "memory", text: "Memory" }, { id: "interface", text: "Exports and imports" }];
  const editTab = { id: "edit", text: "Edit" };
  const tabs = module ? [...(wasi ? [filesTab] : []), ...ofModule.slice(0, 1), editTab, ...ofModule.slice(1)] : [editTab];
  /** @param {string} id */
  const choose = (id) => {
    detail = id;
    const elements = /** @type {Record<string, HTMLElement>} */ ({ files: files.element, functions: functions.element, debug: debug.element, memory: memory.element, edit: edit.element });
    const element = elements[id] ?? interfaceTab(module);
    arrange(id === "edit");
    if (panel.firstChild !== element) panel.replaceChildren(element);
    if (id === "edit") edit.open();
    if (job) return;
    if (id === "functions") functions.open();
    if (id === "memory") memory.open();
    if (id === "files") files.open();
  };
  const list = tabList("Inside the module", tabs, detail, choose, "panel");
  files.oncount = (count) => {
    const tab = list.querySelector("[data-id=files]");
    if (tab) tab.textContent = count ? `Files (${count})` : "Files";
  };
  files.oncount(files.count);
  // The panel stays where it is: the text keeps its focus.
  if (panel.parentElement === card) card.firstElementChild?.replaceWith(list);
  else card.replaceChildren(list, panel);
  choose(detail);
}

/** Put the tabs before what the text's calls show, or behind the plugin. @param {boolean} editing */
function arrange(editing) {
  const stage = byId("stage");
  if (stage.classList.contains("editing") === editing) return;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  stage.classList.toggle("editing", editing);
  if (editing) stage.prepend(byId("details"));
  else stage.append(byId("details"));
  focused?.focus({ preventScroll: true });
}

/** Show the instruction of a backtrace's frame. @param {any} frame */
async function showFrame(frame) {
  if (byId("details").hidden) return;
  showTab("functions");
  await functions.choose(frame.function, frame.offset);
  scrollTo(byId("details"));
}

/* The page's own controls */

function connectPage() {
  const root = document.documentElement;
  root.dataset.theme = remembered("theme") ?? "";
  byId("theme").onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("theme", root.dataset.theme);
  };
  // The Debug tab's buttons stick to the lower edge of the bar, which may have two lines.
  const bar = /** @type {HTMLElement} */ (document.querySelector(".bar"));
  new ResizeObserver(() => root.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
  byId("share").onclick = share;
  byId("engine").onchange = reload;
  byId("limits").querySelector("form").onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  byId("limits").onchange = reload;
  byId("file").onchange = (/** @type {any} */ event) => {
    const [file] = event.target.files;
    if (file) openFile(file);
    event.target.value = "";
  };
  connectDrops({ files, open: openFile, isReady: () => Boolean(host) && byId("boot").hidden, takesFiles: () => current?.answer?.wasi });
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) edit.element.contains(/** @type {Node} */ (event.target)) ? runText(run) : run();
    else if (event.key === "Escape") job ? stop() : debug.stop();
    else return;
    event.preventDefault();
  });
  addEventListener("hashchange", () => host && openFromAddress());
}

/** Load the plugin again, with the engine and the limits that are chosen now. */
async function reload() {
  if (!current) return;
  const { answer, ...loaded } = current;
  await openPlugin(loaded, formState());
}

async function share() {
  const state = { tool: (open?.tool ?? open?.callable)?.name, input: open?.form.shareable(), engine: chosenEngine() };
  let fits;
  if (edit.element.isConnected || current?.edited !== undefined) {
    const text = await edit.makeLink();
    if (text === null) return showTab("edit");
    fits = writeAddress(current?.edited === undefined ? { text } : { text, ...state });
  } else if (!current) return;
  else fits = writeAddress({ plugin: current.file, ...state });
  try {
    await navigator.clipboard.writeText(location.href);
    toast(fits ? "Link copied" : "Link copied without the input, which is too long for a link");
  } catch {
    toast("The link is in the address bar");
  }
}

start();
