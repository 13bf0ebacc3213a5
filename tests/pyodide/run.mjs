// @ts-check
/**
 * Run a Python program in Pyodide, under Node.
 *
 *     node run.mjs '{"mounts": {"/repository": "/path"}, "archives": ["a.zip"],
 *                    "path": ["/repository/tests"], "program": "print('hello')",
 *                    "environment": {"LANG": "C"}, "assembler": [4, 5]}'
 *
 * `archives` are unpacked into Python's folder of packages. `assembler` has two open files: the
 * program writes the text of a module to the first, as one line with a JSON string, and reads
 * `{"wasm": base64}` or `{"error": text}` from the second.
 */
import { readFileSync, readSync, writeSync } from "node:fs";
import { loadPyodide } from "pyodide";

const options = JSON.parse(process.argv[2]);
/** @type {any} */
let pyodide;
// By default Node prints the line of the error, and Pyodide is one line of a megabyte.
process.on("uncaughtException", fail);
run().then((status) => process.exit(status), fail);

/** @param {any} error */
function fail(error) {
  console.error(String(error?.stack ?? error).slice(-6000));
  process.exit(70);
}

async function run() {
  pyodide = await loadPyodide({
    env: { HOME: "/home", PYTHONDONTWRITEBYTECODE: "1", ...options.environment },
  });
  // Bytes, not lines, because pytest prints dots one at a time.
  const write = (/** @type {Uint8Array} */ bytes) => writeSync(1, bytes);
  pyodide.setStdout({ write, isatty: false });
  pyodide.setStderr({ write, isatty: false });
  const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]");
  for (const archive of options.archives ?? []) {
    pyodide.unpackArchive(new Uint8Array(readFileSync(archive)), "zip", { extractDir });
  }
  for (const [target, root] of Object.entries(options.mounts ?? {})) {
    pyodide.FS.mkdirTree(target);
    pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, target);
  }
  if (options.assembler) pyodide.registerJsModule("assembler", { assemble });
  pyodide.globals.set("path", pyodide.toPy(options.path ?? []));
  pyodide.runPython("import sys\nsys.path[:0] = path");
  const status = await pyodide.runPythonAsync(options.program);
  return typeof status === "number" ? status : 0;
}

/** @param {string} text */
function assemble(text) {
  writeSync(options.assembler[0], JSON.stringify(text) + "\n");
  const parts = [];
  const buffer = Buffer.alloc(65536);
  for (;;) {
    const count = readSync(options.assembler[1], buffer);
    if (count === 0) throw new Error("the assembler has ended");
    parts.push(Buffer.from(buffer.subarray(0, count)));
    if (buffer[count - 1] === 10) return Buffer.concat(parts).toString();
  }
}
