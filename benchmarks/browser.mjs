// @ts-check
/**
 * Time the plugin host in Pyodide, under Node. `browser.py` runs it, with the same JSON:
 *
 *     node browser.mjs '{"pyodide": "/…/pyodide.mjs", "archives": ["a.zip"],
 *                        "plugins": [["name.wasm", "tool", "input", calls]], "engines": ["…"]}'
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const started = performance.now();
const { loadPyodide } = await import(pathToFileURL(options.pyodide).href);
const pyodide = await loadPyodide();
const extractDir = pyodide.runPython("import site\nsite.getsitepackages()[0]");
for (const archive of options.archives) {
  pyodide.unpackArchive(new Uint8Array(readFileSync(archive)), "zip", { extractDir });
}
const workbench = pyodide.runPython(
  "from purewasm_plugins.browser.workbench import Workbench\nWorkbench()",
);
/** @param {string} method @param {any} [params] @param {any} [data] */
const call = (method, params, data) => JSON.parse(workbench.handle(JSON.stringify({ method, params }), data));
call("about");
const rows = [["start-up until ready", "", performance.now() - started]];
for (const engine of options.engines) {
  for (const [path, tool, input, calls] of options.plugins) {
    const data = pyodide.toPy(new Uint8Array(readFileSync(path)));
    const before = performance.now();
    const loaded = call("load", { engine }, data);
    const index = loaded.plugin.tools.findIndex((/** @type {any} */ other) => other.name === tool);
    const first = call("run", { tool: index, input });
    if (first.error) throw new Error(first.error.message);
    rows.push([`${tool}: load and first answer`, engine, performance.now() - before]);
    const again = performance.now();
    for (let count = 0; count < calls; count++) call("run", { tool: index, input });
    if (calls) rows.push([`${tool}: each further call`, engine, (performance.now() - again) / calls]);
  }
}
console.log(JSON.stringify(rows));
