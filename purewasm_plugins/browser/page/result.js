// @ts-check
/** The card of a call's result: the output or the error, and what the call used. */

import { counted, duration, h, save, size, toast } from "./dom.js";

/** The most characters of an output that the page shows; Copy and Save take all. */
const SHOWN = 100_000;

/**
 * @param {HTMLElement} card
 * @param {any} answer the answer of the workbench
 * @param {{tool: string, open: (frame: any) => void}} context
 */
export function showResult(card, answer, { tool, open }) {
  card.hidden = false;
  card.className = answer.error ? "card failed" : "card done";
  if (answer.error) card.replaceChildren(...errorParts(answer.error, open), stats(answer));
  else card.replaceChildren(...outputParts(answer.output, tool, answer.says), stats(answer));
}

/**
 * @param {HTMLElement} card
 * @param {any} error
 * @param {(frame: any) => void} open
 */
export function showError(card, error, open) {
  card.hidden = false;
  card.className = "card failed";
  card.replaceChildren(...errorParts(error, open));
}

/**
 * Show the end of a command.
 * @param {HTMLElement} card
 * @param {any} answer the answer of the workbench
 * @param {(frame: any) => void} open
 */
export function showExit(card, answer, open) {
  card.hidden = false;
  card.className = answer.exit_code === 0 ? "card done" : "card failed";
  const code = answer.exit_code;
  const parts = answer.error ? errorParts(answer.error, open) : [h("div.result-title", null, h("h2", { id: "exit" }, `Exit code ${code}`), h("span.note", null, code ? "the program tells of a failure" : "success"))];
  card.replaceChildren(...parts, ...answer.refused.map((/** @type {string} */ text) => h("p.hint", null, text)), stats(answer));
}

/** @param {HTMLElement} card @param {string} title @param {string} text */
export function showNote(card, title, text) {
  card.hidden = false;
  card.className = "card";
  card.replaceChildren(h("h2", null, title), h("p.hint", null, text));
}

/** @param {string} output @param {string} tool @param {string} [says] what it is, where it is no text */
function outputParts(output, tool, says) {
  const copy = async () => {
    await navigator.clipboard.writeText(output);
    toast("Output copied");
  };
  const name = `${tool.replace(/[^\w.-]+/g, "_") || "output"}.txt`;
  const cut = output.length > SHOWN;
  return [
    h(
      "div.result-title",
      null,
      h("h2", null, "Output"),
      h("span.note", null, says ?? (output === "" ? "an empty string" : counted(output.length, "character"))),
      h("div.actions", null, h("button.quiet", { type: "button", onclick: copy }, "Copy"), h("button.quiet", { type: "button", onclick: () => save(name, output, "text/plain;charset=utf-8") }, "Save")),
    ),
    h("pre.text", { id: "output", tabindex: "0", "aria-label": "Output" }, output.slice(0, SHOWN)),
    cut && h("p.note", null, `These are the first ${SHOWN.toLocaleString("en")} characters; Copy and Save take all of them.`),
  ].filter(Boolean);
}

/** @param {any} error @param {(frame: any) => void} open */
function errorParts(error, open) {
  const frames = error.frames.map((/** @type {any} */ frame) =>
    h(
      "li",
      null,
      frame.function === null
        ? frame.text
        : h("button.link", { type: "button", title: "Show this function", onclick: () => open(frame) }, frame.text),
    ),
  );
  if (error.hidden) {
    frames.splice(frames.length / 2, 0, h("li.skipped", null, `… ${counted(error.hidden, "more frame")} …`));
  }
  return [
    h("div.result-title", null, h("h2", null, title(error)), h("span.note", null, error.type)),
    h("p.message", { id: "error" }, error.message),
    error.hint && h("p.hint", null, error.hint),
    frames.length > 0 && h("h3", null, "WebAssembly backtrace, innermost first"),
    frames.length > 0 && h("ol.frames", null, frames),
    error.traceback && h("pre.text", null, error.traceback),
  ].filter(Boolean);
}

/** @param {any} error */
function title(error) {
  if (error.reason) return capital(error.reason);
  return TITLES.get(error.type) ?? "The call failed";
}

const TITLES = new Map([
  ["CompileError", "This is not a valid WebAssembly module"],
  ["InstantiateError", "The plugin could not be started"],
  ["LinkError", "The program could not be started"],
  ["ResourceLimitError", "The program could not be started"],
  ["InvalidOptionError", "The fields do not fit"],
  ["MissingExportError", "This module is not a plugin"],
  ["WrongExportTypeError", "This module is not a plugin"],
  ["VersionMismatchError", "This plugin uses another version of the ABI"],
  ["InvalidArgumentsError", "The arguments do not fit"],
  ["TextError", "The text is not a module"],
  ["ValidationError", "The text is not a valid module"],
  ["FileTooLarge", "The file is too large"],
]);

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** @param {any} answer */
function stats({ ms, fuel, memory }) {
  const rows = [["Time", duration(ms)], ["Fuel used", h("span", null, fuel.toLocaleString("en"), h("small", null, fuel === 1 ? " unit" : " units"))]];
  if (memory) {
    const grown = memory.pages_before === null ? 0 : memory.pages - memory.pages_before;
    rows.push(["Memory", h("span", null, counted(memory.pages, "page"), h("small", null, ` ${size(memory.size)}${grown > 0 ? `, grown by ${grown}` : ""}`))]);
    if (memory.pages_before !== null && memory.compared) {
      rows.push(["Memory changed", memory.changed_bytes ? counted(memory.changed_bytes, "byte") : "nothing"]);
    }
  }
  return h("dl.stats", { id: "stats" }, rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}
