// @ts-check
/** The Functions tab: a function's instructions beside the Python that the translator makes of them. */

import { h, reveal, size } from "./dom.js";
import { pythonSpans, wasmSpans } from "./highlight.js";

export class FunctionsTab {
  /** @param {(index: number) => Promise<any>} fetch gets a function from the workbench */
  constructor(fetch) {
    this.fetch = fetch;
    /** @type {any[]} */
    this.functions = [];
    this.chosen = -1;
    this.filter = /** @type {HTMLInputElement} */ (h("input", { type: "search", placeholder: "Filter functions", "aria-label": "Filter functions", oninput: () => this.drawList() }));
    this.list = h("ul", { "aria-label": "Functions" });
    this.texts = h("div.texts", null);
    this.element = h("div.functions", null, h("div.list", null, this.filter, this.list), this.texts);
  }

  /** @param {any} module */
  show(module) {
    this.functions = module?.functions ?? [];
    this.chosen = -1;
    this.filter.value = "";
    this.drawList();
    this.texts.replaceChildren(h("p.note.empty", null, "The module has no functions."));
  }

  /** Show a function when the tab becomes visible. */
  async open() {
    if (this.chosen >= 0 || !this.functions.length) return;
    const first = this.functions.find((entry) => entry.exports.includes("plugin_tool_execute")) ?? this.functions[0];
    await this.choose(first.index);
  }

  drawList() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.functions.filter((entry) => title(entry).toLowerCase().includes(wanted) || String(entry.index) === wanted);
    this.list.replaceChildren(
      ...found.slice(0, 2000).map((entry) =>
        h(
          "li",
          null,
          h(
            "button",
            { type: "button", "data-index": entry.index, "aria-current": entry.index === this.chosen, onclick: () => this.choose(entry.index) },
            h("b", null, title(entry)),
            h("small", null, `${entry.index} · ${entry.imported ? "imported" : size(entry.size)}${entry.exports.length ? " · exported" : ""}`),
          ),
        ),
      ),
    );
    if (!found.length) this.list.replaceChildren(h("li.note.empty", null, "No function matches."));
  }

  /**
   * Show a function.
   * @param {number} index
   * @param {number | null} [reached] the offset of an instruction to mark and to scroll to
   */
  async choose(index, reached = null) {
    this.chosen = index;
    for (const button of this.list.querySelectorAll("button")) {
      const on = button.dataset.index === String(index);
      button.setAttribute("aria-current", String(on));
      if (on) reveal(this.list, button);
    }
    const entry = this.functions[index];
    const waits = setTimeout(() => this.texts.replaceChildren(h("p.note.empty", null, "Python is busy. The function appears when it has finished.")), 400);
    const answer = await this.fetch(index);
    clearTimeout(waits);
    if (this.chosen !== index || !entry) return;
    this.draw(entry, answer, reached);
  }

  /** @param {any} entry @param {any} answer @param {number | null} reached */
  draw(entry, answer, reached) {
    if (answer.error) {
      this.texts.replaceChildren(h("p.message.empty", null, answer.error.message));
      return;
    }
    const left = h("div.code", null, answer.lines.map((/** @type {any} */ [offset, text]) =>
      h("div", { "data-at": offset, class: offset !== null && offset === reached ? "reached" : null },
        h("span.at", null, offset === null ? "" : "0x" + offset.toString(16)), wasmSpans(text)),
    ));
    const right = answer.python === null ? null : h("div.code", null, answer.python.map((/** @type {any} */ [text, offset], /** @type {number} */ at) =>
      h("div", { "data-at": offset }, h("span.at", null, String(at + 1)), pythonSpans(text)),
    ));
    this.texts.replaceChildren(
      h("header", null, h("b", null, title(entry)), h("span.note", null, `function ${entry.index} · `, h("code", null, entry.type))),
      h("div.column", { tabindex: "0", "aria-label": "WebAssembly" }, h("h3", null, "WebAssembly"), answer.lines.length ? left : h("p.note.empty", null, answer.note ?? ""), answer.cut && h("p.note.empty", null, "The page shows only the beginning of this function.")),
      h("div.column", { tabindex: "0", "aria-label": "Python" }, h("h3", null, "Python, as the translator writes it"), right ?? h("p.note.empty", null, answer.note ?? "")),
    );
    if (right) linkLines(left, right);
    this.texts.querySelector(".reached")?.scrollIntoView({ block: "center" });
  }
}

/** @param {any} entry */
const title = (entry) => entry.name ?? entry.exports[0] ?? `function ${entry.index}`;

/**
 * Mark the lines of both texts that belong together when the pointer is on one of them. A line of
 * Python has the offset of its last instruction, and belongs to all instructions after the previous line's.
 * @param {HTMLElement} left @param {HTMLElement} right
 */
function linkLines(left, right) {
  const starts = [...right.querySelectorAll("[data-at]")].map((line) => Number(/** @type {HTMLElement} */ (line).dataset.at));
  const known = [...new Set(starts)].sort((a, b) => a - b);
  /** @param {number} at */
  const startOf = (at) => known.find((start) => start >= at);
  /** @param {HTMLElement | null} line */
  const mark = (line) => {
    const at = line && startOf(Number(line.dataset.at));
    for (const other of left.children) {
      const own = /** @type {HTMLElement} */ (other).dataset.at;
      other.classList.toggle("on", at !== null && at !== undefined && own !== undefined && startOf(Number(own)) === at);
    }
    for (const other of right.children) {
      const own = /** @type {HTMLElement} */ (other).dataset.at;
      other.classList.toggle("on", at !== null && at !== undefined && own !== undefined && Number(own) === at);
    }
  };
  for (const text of [left, right]) {
    text.addEventListener("pointerover", (event) => mark(/** @type {HTMLElement} */ (event.target).closest("[data-at]")));
    text.addEventListener("pointerleave", () => mark(null));
  }
}
