// @ts-check
/** The page's side of the worker: calls as promises, and a spare worker that replaces one that was ended. */

/** The error of a call whose worker was ended: the plugin was stopped, or Python crashed. */
export class Ended extends Error {
  /** @param {string} message @param {boolean} crashed */
  constructor(message, crashed) {
    super(message);
    this.crashed = crashed;
  }
}

/** @typedef {(stream: number, text: string) => void} Show takes the number of an output stream, and text */

/** Start a worker under the page's content security policy: a worker from a blob inherits it. */
function newWorker() {
  const script = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return new Worker(address, { type: "module" });
}

/** One worker and the calls that wait for its answers. */
class Connection {
  /** @param {any} config @param {(progress: {text: string, fraction: number}) => void} onprogress */
  constructor(config, onprogress) {
    this.calls = new Map();
    this.next = 1;
    this.worker = newWorker();
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.progress) onprogress(data.progress);
        else if (data.ready) resolve(data.ready);
        else if (data.failed) {
          // Downloads that still run must not report their progress any more.
          this.worker.onmessage = null;
          this.worker.terminate();
          reject(new Error(data.failed));
        }
        else if (data.text !== undefined) this.calls.get(data.id)?.show?.(data.stream, data.text);
        else this.settle(data);
      };
      this.worker.onerror = (event) => {
        event.preventDefault();
        const message = event.message || "the worker could not be started";
        reject(new Error(message));
        this.end(new Ended(message, true));
      };
    });
    this.ready.catch(() => {});
    this.worker.postMessage({ boot: { ...config, base: document.baseURI.split("#")[0] } });
  }

  /** @param {{id: number, answer?: string, attached?: ArrayBuffer, crashed?: string}} message */
  settle({ id, answer, attached, crashed }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (crashed !== undefined) call?.reject(new Ended(crashed, true));
    else call?.resolve({ ...JSON.parse(answer ?? "null"), attached });
  }

  /** @param {any} request @param {ArrayBuffer} [data] @param {Show} [show] */
  async call(request, data, show) {
    await this.ready;
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, show });
      this.worker.postMessage({ id, request: JSON.stringify(request), data });
    });
  }

  /** @param {Error} reason */
  end(reason) {
    this.worker.terminate();
    this.worker.onmessage = null;
    for (const call of this.calls.values()) call.reject(reason);
    this.calls.clear();
  }
}

/** Python with the plugin host, in a worker that is replaced when it is ended. */
export class Host {
  /**
   * @param {any} config the site's config.json
   * @param {(progress: {text: string, fraction: number}) => void} onprogress
   */
  constructor(config, onprogress) {
    this.config = config;
    this.connection = new Connection(config, onprogress);
    /** @type {Connection | null} */
    this.spare = null;
    /** A copy of the files, for the next worker. @type {ArrayBuffer | null} */
    this.kept = null;
    this.connection.ready.then(() => this.prepare(), () => {});
  }

  /** The answer of the workbench's `about`, with `startMs`. @returns {Promise<any>} */
  get ready() {
    return this.connection.ready;
  }

  /**
   * Call a method of the workbench (workbench.py).
   * @param {string} method
   * @param {any} [params]
   * @param {ArrayBuffer} [data]
   * @param {Show} [show] is called with what a module writes meanwhile
   * @returns {Promise<any>} the answer; its `attached` has bytes that belong to it
   */
  async call(method, params, data, show) {
    const connection = this.connection;
    try {
      const answer = await connection.call({ method, params }, data, show);
      if (method === "files" && params.do === "list") this.kept = answer.attached ?? this.kept;
      return answer;
    } catch (error) {
      if (error instanceof Ended && error.crashed && connection === this.connection) this.replace(error);
      throw error;
    }
  }

  /** End the worker: the running call fails, and the loaded plugin is lost. */
  stop() {
    this.replace(new Ended("stopped", false));
  }

  /** @param {Ended} reason */
  replace(reason) {
    const old = this.connection;
    this.connection = this.spare ?? new Connection(this.config, () => {});
    this.spare = null;
    old.end(reason);
    // Its worker answers this first.
    if (this.kept) this.connection.call({ method: "files", params: { do: "restore" } }, this.kept).catch(() => {});
    this.connection.ready.then(() => this.prepare(), () => {});
  }

  /** Start a spare worker after 1.5 s, unless the device has less than 4 GB or saves data. */
  prepare() {
    const { deviceMemory, connection } = /** @type {any} */ (navigator);
    if ((deviceMemory ?? 8) < 4 || connection?.saveData) return;
    setTimeout(() => {
      if (this.spare) return;
      const spare = new Connection(this.config, () => {});
      this.spare = spare;
      spare.ready.catch(() => {
        spare.end(new Ended("no spare", false));
        if (this.spare === spare) this.spare = null;
      });
    }, 1500);
  }
}
