// @ts-check
/** The page's side of the worker: calls as promises, and a spare worker for when one must be ended. */

/** What a call fails with when the plugin was stopped, or took Python down with it. */
export class Ended extends Error {
  /** @param {string} message @param {boolean} crashed */
  constructor(message, crashed) {
    super(message);
    this.crashed = crashed;
  }
}

/** A worker that has the page's content security policy: one from a blob inherits it. */
function newWorker() {
  const script = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return new Worker(address, { type: "module" });
}

/** One worker, from its start. */
class Seat {
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
          // What is still being fetched must not go on talking of its progress.
          this.worker.onmessage = null;
          this.worker.terminate();
          reject(new Error(data.failed));
        }
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

  /** @param {{id: number, answer?: string, crashed?: string}} message */
  settle({ id, answer, crashed }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (crashed !== undefined) call?.reject(new Ended(crashed, true));
    else call?.resolve(JSON.parse(answer ?? "null"));
  }

  /** @param {any} request @param {ArrayBuffer | undefined} data */
  async call(request, data) {
    await this.ready;
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
      this.worker.postMessage({ id, request: JSON.stringify(request), data });
    });
  }

  /** @param {Error} reason */
  end(reason) {
    this.worker.terminate();
    for (const call of this.calls.values()) call.reject(reason);
    this.calls.clear();
  }
}

/** Python with the plugin host in it. */
export class Host {
  /**
   * @param {any} config the site's config.json
   * @param {(progress: {text: string, fraction: number}) => void} onprogress
   */
  constructor(config, onprogress) {
    this.config = config;
    this.seat = new Seat(config, onprogress);
    /** @type {Seat | null} */
    this.spare = null;
    this.seat.ready.then(() => this.prepare(), () => {});
  }

  /** Resolves to what `about` says, with `startMs`. @returns {Promise<any>} */
  get ready() {
    return this.seat.ready;
  }

  /**
   * Ask the workbench; see workbench.py for the methods.
   * @param {string} method
   * @param {any} [params]
   * @param {ArrayBuffer} [data]
   * @returns {Promise<any>}
   */
  async call(method, params, data) {
    const seat = this.seat;
    try {
      return await seat.call({ method, params }, data);
    } catch (error) {
      if (error instanceof Ended && error.crashed && seat === this.seat) this.replace(error);
      throw error;
    }
  }

  /** End whatever runs. What was loaded is gone with it. */
  stop() {
    this.replace(new Ended("stopped", false));
  }

  /** @param {Ended} reason */
  replace(reason) {
    const old = this.seat;
    this.seat = this.spare ?? new Seat(this.config, () => {});
    this.spare = null;
    old.end(reason);
    this.seat.ready.then(() => this.prepare(), () => {});
  }

  /** Have a spare worker ready a little later, where the machine can afford one. */
  prepare() {
    const { deviceMemory, connection } = /** @type {any} */ (navigator);
    if ((deviceMemory ?? 8) < 4 || connection?.saveData) return;
    setTimeout(() => {
      if (this.spare) return;
      const spare = new Seat(this.config, () => {});
      this.spare = spare;
      spare.ready.catch(() => {
        spare.end(new Ended("no spare", false));
        if (this.spare === spare) this.spare = null;
      });
    }, 1500);
  }
}
