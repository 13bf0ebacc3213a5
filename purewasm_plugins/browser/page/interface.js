// @ts-check
/** The tab “Exports and imports”: two tables, and the sections by size. */

import { h, size } from "./dom.js";

/** Make the tab of a module. @param {any} module @returns {HTMLElement} */
export function interfaceTab(module) {
  const { exports, imports, sections } = module;
  const total = sections.reduce((/** @type {number} */ sum, /** @type {any} */ entry) => sum + entry.size, 0);
  return h(
    "div.panel.interface",
    null,
    h("section", null, h("h3", null, `Exports (${exports.length})`),
      exports.length ? table(["Name", "Type", ""], exports.map((/** @type {any} */ entry) => [h("code", null, entry.name), h("code", null, entry.type), entry.abi && h("span.badge", null, "plugin ABI")])) : h("p.note", null, "None.")),
    h("section", null, h("h3", null, `Imports (${imports.length})`),
      imports.length ? table(["Module", "Name", "Required type"], imports.map((/** @type {any} */ entry) => [h("code", null, entry.module), h("code", null, entry.name), h("code", null, entry.type)])) : h("p.note", null, "None: the plugin needs nothing from its host.")),
    h("section", null, h("h3", null, "Sections, by size"),
      h("div.sections", null, sections.map((/** @type {any} */ entry) => h("span", { style: `flex: ${Math.max(entry.size, 1)}`, title: `${entry.name}: ${size(entry.size)}` }, entry.size > total / 14 ? entry.name : "")))),
  );
}

/** @param {string[]} heads @param {any[][]} lines */
function table(heads, lines) {
  return h("div.scroll", null, h("table", null,
    h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", null, lines.map((line) => h("tr", null, line.map((cell) => h("td", null, cell)))))));
}
