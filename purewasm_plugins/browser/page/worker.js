// @ts-check
/**
 * The web worker: Python and the plugin host in it. It gets `boot` once, then requests, and answers
 * each; while a plugin runs it hears nothing, which is why the page ends it to stop one.
 */

/** @type {(request: string, data?: any) => string} */
let handle;
/** @type {any} */
let pyodide;

self.onmessage = async ({ data: message }) => {
  if (message.boot) {
    try {
      self.postMessage({ ready: await boot(message.boot) });
    } catch (error) {
      self.postMessage({ failed: String(/** @type {any} */ (error)?.message ?? error) });
    }
    return;
  }
  const { id, request, data } = message;
  try {
    // toPy: Python gets a buffer, not a JavaScript object.
    const answer = data ? handle(request, pyodide.toPy(new Uint8Array(data))) : handle(request);
    self.postMessage({ id, answer });
  } catch (error) {
    // `handle` words every error of Python's: what comes here has taken Python down.
    self.postMessage({ id, crashed: String(error).slice(0, 2000) });
  }
};

/** @param {{pyodide: string, pyodideSize: number, python: string[], base: string}} config */
async function boot(config) {
  const started = performance.now();
  const indexURL = new URL(config.pyodide, config.base).href;
  countFetches(config.pyodideSize);
  // Our own archives are small and come while Python does.
  const archives = config.python.map(async (path) => {
    const response = await fetch(new URL(path, config.base));
    if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
    return response.arrayBuffer();
  });
  archives.forEach((archive) => archive.catch(() => {}));
  progress("Fetching Python", 0);
  const { loadPyodide } = await import(indexURL + "pyodide.mjs");
  pyodide = await loadPyodide({ indexURL });
  progress("Unpacking the plugin host", 0.94);
  const extractDir = pyodide.runPython("import site\nsite.getsitepackages()[0]");
  for (const archive of await Promise.all(archives)) pyodide.unpackArchive(archive, "zip", { extractDir });
  progress("Starting the plugin host", 0.97);
  const workbench = pyodide.runPython(
    "from purewasm_plugins.browser.workbench import Workbench\nWorkbench()",
  );
  handle = workbench.handle;
  const about = JSON.parse(handle(JSON.stringify({ method: "about" })));
  return { ...about, startMs: performance.now() - started };
}

/** @param {string} text @param {number} fraction */
function progress(text, fraction) {
  self.postMessage({ progress: { text, fraction } });
}

/** Count the bytes that arrive while Python is fetched. @param {number} total */
function countFetches(total) {
  const original = self.fetch;
  let loaded = 0;
  let told = 0;
  self.fetch = async (...request) => {
    const response = await original(...request);
    if (!response.body || !response.ok) return response;
    const counter = new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        controller.enqueue(chunk);
        if (performance.now() - told < 60) return;
        told = performance.now();
        const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
        if (loaded < total) progress(`Fetching Python: ${megabytes(loaded)} of ${megabytes(total)} MB`, (0.85 * loaded) / total);
        else progress("Starting Python", 0.88);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(counter), { status, statusText, headers });
  };
}
