import { loadPyodide } from "https://cdn.jsdelivr.net/npm/pyodide@314.0.7/pyodide.mjs";

const pyodide = await loadPyodide();
for (const name of ["purewasm_plugins", "pywasm"]) {
  const archive = await fetch(`python/${name}.zip`);
  pyodide.unpackArchive(await archive.arrayBuffer(), "zip");
}
const { WasmPlugin } = pyodide.pyimport("purewasm_plugins");
const file = await fetch("plugins/echo.wasm");
const plugin = WasmPlugin.load_from_bytes(pyodide.toPy(await file.arrayBuffer()));
document.body.append(plugin.execute_tool("echo", "Hello from JavaScript!"));
