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

/** @param {{pyodide: string, pyodideFiles: Record<string, string>, pyodideSize: number, python: string[], base: string}} config */
async function boot(config) {
  const started = performance.now();
  const indexURL = new URL(config.pyodide, config.base).href;
  progress("Fetching Python", 0);
  const files = fetchPyodide(indexURL, config);
  // Our own archives are small and come while Python does.
  const archives = Promise.all(config.python.map(async (path) => (await fetched(new URL(path, config.base).href)).arrayBuffer()));
  // Pyodide itself would wait for ever for a file that does not come.
  [pyodide] = await Promise.all([startPyodide(indexURL, files), archives, ...files.values()]);
  progress("Unpacking the plugin host", 0.94);
  const extractDir = pyodide.runPython("import site\nsite.getsitepackages()[0]");
  for (const archive of await archives) pyodide.unpackArchive(archive, "zip", { extractDir });
  progress("Starting the plugin host", 0.97);
  const workbench = pyodide.runPython(
    "from purewasm_plugins.browser.workbench import Workbench\nWorkbench()",
  );
  handle = workbench.handle;
  const about = JSON.parse(handle(JSON.stringify({ method: "about" })));
  return { ...about, startMs: performance.now() - started };
}

/**
 * Pyodide, made of files whose hashes were checked. A script is imported from a blob: an import
 * cannot be given a hash in a worker.
 * @param {string} indexURL @param {Map<string, Promise<Response>>} files
 */
async function startPyodide(indexURL, files) {
  const script = async (/** @type {string} */ name) => {
    const response = await files.get(indexURL + name);
    const address = URL.createObjectURL(new Blob([await /** @type {Response} */ (response).text()], { type: "text/javascript" }));
    return import(address);
  };
  const [{ loadPyodide }, { default: createPyodideModule }] = await Promise.all(["pyodide.mjs", "pyodide.asm.mjs"].map(script));
  // What Pyodide fetches it gets from here; a second time, it finds the response used up.
  const original = self.fetch;
  self.fetch = (resource, options) => files.get(String(resource)) ?? original(resource, options);
  return loadPyodide({ indexURL, createPyodideModule });
}

/**
 * Fetch a file.
 * @param {string} url
 * @param {string} [integrity] its hash, or nothing where any will do
 */
async function fetched(url, integrity = "") {
  let response;
  try {
    response = await fetch(url, { integrity });
  } catch (error) {
    const doubt = integrity ? " (it cannot be reached, or is not the file that this page was made for)" : "";
    throw new Error(`${url}: ${/** @type {any} */ (error)?.message ?? error}${doubt}`);
  }
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response;
}

/** @param {string} text @param {number} fraction */
function progress(text, fraction) {
  self.postMessage({ progress: { text, fraction } });
}

/**
 * Fetch what Pyodide is made of, and count the bytes that arrive. Where a hash is checked, a file
 * arrives all at once.
 * @param {string} indexURL
 * @param {{pyodideFiles: Record<string, string>, pyodideSize: number}} config
 * @returns {Map<string, Promise<Response>>} by address
 */
function fetchPyodide(indexURL, { pyodideFiles, pyodideSize: total }) {
  let loaded = 0;
  let told = 0;
  const count = (/** @type {Response} */ response) => {
    if (!response.body) return response;
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
  const files = new Map();
  for (const [name, integrity] of Object.entries(pyodideFiles)) {
    const url = indexURL + name;
    files.set(url, fetched(url, integrity).then(count));
  }
  return files;
}
