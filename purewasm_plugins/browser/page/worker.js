// @ts-check
/**
 * The web worker: Python with the plugin host. It receives `boot` once, then requests, and answers
 * each. While a plugin runs it receives nothing; so the page ends the worker to stop a plugin.
 */

/** The workbench, a Python object. @type {any} */
let workbench;
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
  running = id;
  try {
    // `toPy` makes a Python buffer from the JavaScript object.
    const answer = data ? handle(request, pyodide.toPy(new Uint8Array(data))) : handle(request);
    self.postMessage({ id, answer, attached: attachedBytes() });
  } catch (error) {
    // `handle` answers every Python exception; an error here means that Python itself has crashed.
    self.postMessage({ id, crashed: String(error).slice(0, 2000) });
  }
};

/** The request that is being answered. */
let running = 0;

/** Send the page what a module has just written. @param {number} stream @param {string} text */
const show = (stream, text) => self.postMessage({ id: running, stream, text });

/** The bytes that belong to the last answer. @returns {ArrayBuffer | undefined} */
function attachedBytes() {
  const bytes = workbench.attached;
  if (!bytes) return undefined;
  const copy = bytes.toJs();
  bytes.destroy();
  return copy.buffer;
}

/** @param {{pyodide: string, pyodideFiles: Record<string, string>, pyodideSize: number, python: string[], base: string}} config */
async function boot(config) {
  const started = performance.now();
  const indexURL = new URL(config.pyodide, config.base).href;
  progress("Fetching Python", 0);
  const files = fetchPyodide(indexURL, config);
  // The archives of this package are small; they are fetched at the same time as Python.
  const archives = Promise.all(config.python.map(async (path) => (await fetched(new URL(path, config.base).href)).arrayBuffer()));
  // Pyodide would wait without end for a file whose download failed; `all` fails at once.
  [pyodide] = await Promise.all([startPyodide(indexURL, files), archives, ...files.values()]);
  progress("Unpacking the plugin host", 0.94);
  const extractDir = pyodide.runPython("import site\nsite.getsitepackages()[0]");
  for (const archive of await archives) pyodide.unpackArchive(archive, "zip", { extractDir });
  progress("Starting the plugin host", 0.97);
  workbench = pyodide.runPython("from purewasm_plugins.browser.workbench import Workbench\nWorkbench")(show);
  handle = workbench.handle;
  const about = JSON.parse(handle(JSON.stringify({ method: "about" })));
  return { ...about, startMs: performance.now() - started };
}

/**
 * Start Pyodide from files whose hashes were checked. Scripts are imported from blobs, because an
 * import in a worker takes no hash.
 * @param {string} indexURL @param {Map<string, Promise<Response>>} files
 */
async function startPyodide(indexURL, files) {
  const script = async (/** @type {string} */ name) => {
    const response = await files.get(indexURL + name);
    const address = URL.createObjectURL(new Blob([await /** @type {Response} */ (response).text()], { type: "text/javascript" }));
    return import(address);
  };
  const [{ loadPyodide }, { default: createPyodideModule }] = await Promise.all(["pyodide.mjs", "pyodide.asm.mjs"].map(script));
  // Pyodide's own requests are answered with these responses; each can be read once.
  const original = self.fetch;
  self.fetch = (resource, options) => files.get(String(resource)) ?? original(resource, options);
  return loadPyodide({ indexURL, createPyodideModule });
}

/**
 * Fetch a file.
 * @param {string} url
 * @param {string} [integrity] the expected hash; "" accepts any content
 */
async function fetched(url, integrity = "") {
  let response;
  try {
    response = await fetch(url, { integrity });
  } catch (error) {
    const doubt = integrity ? " (the file cannot be reached, or is not the file that this page was made for)" : "";
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
 * Fetch Pyodide's files and report the bytes that have arrived. A file whose hash is checked arrives
 * as a whole.
 * @param {string} indexURL
 * @param {{pyodideFiles: Record<string, string>, pyodideSize: number}} config
 * @returns {Map<string, Promise<Response>>} the responses by address
 */
function fetchPyodide(indexURL, { pyodideFiles, pyodideSize: total }) {
  let loaded = 0;
  let reported = 0;
  const count = (/** @type {Response} */ response) => {
    if (!response.body) return response;
    const counter = new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        controller.enqueue(chunk);
        if (performance.now() - reported < 60) return;
        reported = performance.now();
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
