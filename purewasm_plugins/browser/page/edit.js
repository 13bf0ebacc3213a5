// @ts-check
/** The Edit tab: a module as text, which is checked while one types, and run. */

import { counted, h, save, size, toast } from "./dom.js";
import { Editor } from "./editor.js";
import { MOST_LINK, packText, unpackText } from "./share.js";

/** Milliseconds without a key before the text is checked. */
const PAUSE = 250;

/** The key of the text in the session's storage. */
const KEPT = "edited text";

/** @typedef {{text: string, name: string, says: string, inputs: any, modified: boolean, link: string | null}} Draft */

export class EditTab {
  /**
   * @param {{ask: (method: string, params: any) => Promise<any>, run: () => void, debug: () => void, share: () => void}} page
   * `ask` sends the workbench a request; its answer is `{lost: true}` where the worker was ended meanwhile
   */
  constructor(page) {
    this.page = page;
    /** Grows with each change of the text. */
    this.version = 0;
    /** The newest answer to a check, and the version that it is about. @type {{version: number, answer: any}} */
    this.checked = { version: -1, answer: null };
    /** The check that runs. @type {Promise<any> | null} */
    this.checking = null;
    this.timer = 0;
    /** @type {any[]} */
    this.examples = [];
    this.name = "";
    this.inputs = {};
    this.modified = false;
    /** The link that the text came from, or that was made of it. @type {string | null} */
    this.link = null;
    this.editor = new Editor("The module, in the WebAssembly text format", () => this.changed());
    this.status = h("div.state", { id: "text-status", role: "status" });
    this.says = h("p.note.says", { role: "status" });
    this.choice = /** @type {HTMLSelectElement} */ (h("select", { id: "text-example", onchange: () => this.openExample() }));
    this.loaded = h("button.quiet", { type: "button", id: "open-text", hidden: true, onclick: () => this.openLoaded() });
    const quiet = (/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) => h("button.quiet", { type: "button", id, title, onclick }, text);
    this.element = h("div.edit", null,
      h("div.bar-of-edit", null,
        h("button.primary", { type: "button", id: "run-text", onclick: page.run }, "Run"),
        h("button", { type: "button", id: "debug-text", title: "Step through a call, with this text", onclick: page.debug }, "Debug"),
        h("span.spacer", null),
        h("label.inline", { for: "text-example" }, "Example ", this.choice),
        this.loaded),
      this.says,
      this.editor.element,
      this.status,
      h("div.bar-of-edit.below", null,
        quiet("share-text", "Copy link", "Copy a link that carries this text", page.share),
        quiet("save-wasm", "Download .wasm", "Download the module", () => this.download()),
        quiet("save-wat", "Download .wat", "Download the text", () => save(`${this.name || "module"}.wat`, this.editor.text, "text/plain;charset=utf-8")),
        h("span.spacer", null),
        h("p.note", { id: "text-keys" }, h("kbd", null, "Ctrl"), " ", h("kbd", null, "Enter"), " runs. ", h("kbd", null, "Tab"), " indents; after ", h("kbd", null, "Esc"), " it leaves the text.")));
    addEventListener("pagehide", () => this.keep());
  }

  /* The text */

  /** Take the examples, and open the text of this session, or else the first example. @param {any[]} examples */
  start(examples) {
    this.examples = examples;
    this.choice.replaceChildren(h("option", { value: "" }, "choose"), ...examples.map((entry) => h("option", { value: entry.name }, entry.title)));
    const kept = readKept();
    if (kept) this.put(kept);
    else if (examples.length) this.put(draftOf(examples[0]));
  }

  /** Show a text. @param {Draft} draft */
  put({ text, name, says, inputs, modified, link }) {
    this.name = name;
    this.inputs = { ...inputs };
    this.modified = modified;
    this.link = link;
    this.says.textContent = says;
    this.choice.value = this.examples.some((entry) => entry.name === name) && !link ? name : "";
    this.editor.set(text);
    this.version++;
    this.status.classList.add("old");
    this.keep();
    this.check();
  }

  /** Replace the text, if the visitor has not changed it or does not want it any more. @param {Draft} draft @returns {boolean} whether it was replaced */
  replace(draft) {
    if (this.modified && !confirm("Replace the text in the Edit tab? What you have changed in it is lost.")) return false;
    this.put(draft);
    return true;
  }

  openExample() {
    const entry = this.examples.find(({ name }) => name === this.choice.value);
    if (entry && !this.replace(draftOf(entry))) this.choice.value = "";
  }

  /** Offer the module that is loaded as text. @param {string | null} file */
  offer(file) {
    this.loaded.hidden = file === null;
    this.loaded.textContent = `Open ${file} as text`;
    this.loaded.dataset.file = file ?? "";
  }

  /** Open the text of the module that is loaded. */
  async openLoaded() {
    const file = this.loaded.dataset.file ?? "";
    this.says.textContent = `Writing the text of ${file} …`;
    const answer = await this.page.ask("text", {});
    const problem = answer.lost ? "The module was ended meanwhile. Choose it again." : answer.error?.message;
    if (problem) this.says.textContent = problem;
    else if (!this.openText(answer.text, file, `The text of ${file}, made from its bytes.`)) this.says.textContent = "";
  }

  /** Open a text, such as that of a file. @param {string} text @param {string} file @param {string} says @returns {boolean} */
  openText(text, file, says) {
    return this.replace({ text, name: file.replace(/\.wa(?:t|sm)$/i, ""), says, inputs: {}, modified: false, link: null });
  }

  /** Open the text that a link carries; it is not run. @param {string} link */
  async openLink(link) {
    // A text that was changed after its link was made is newer.
    if (link === this.link) return;
    const { text, problem } = await unpackText(link);
    if (problem) this.says.textContent = problem;
    else this.replace({ text, name: "linked", says: "This text came with the link. It runs only when you press Run.", inputs: {}, modified: false, link });
  }

  /** Make the text's link. @returns {Promise<string | null>} null where it would be too long; the tab says so */
  async makeLink() {
    const link = await packText(this.editor.text);
    if (link.length > MOST_LINK) {
      this.says.textContent = `The text is too long for a link: it would have ${counted(link.length, "character")}, and ${MOST_LINK.toLocaleString("en")} are the most. You can download it instead.`;
      return null;
    }
    this.link = link;
    this.keep();
    return link;
  }

  changed() {
    this.modified = true;
    this.version++;
    this.status.classList.add("old");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.keep();
      this.check();
    }, PAUSE);
  }

  /** Keep the text for a reload of the page. */
  keep() {
    const draft = { text: this.editor.text, name: this.name, says: this.says.textContent, inputs: this.inputs, modified: this.modified, link: this.link };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(draft));
      this.lossy = false;
    } catch {
      if (!this.lossy) toast("The browser keeps no copy of this text: a reload of the page loses it");
      this.lossy = true;
    }
  }

  /* Checking */

  /** Check the newest text. Answers to earlier ones are dropped. @returns {Promise<any>} the answer */
  check() {
    clearTimeout(this.timer);
    this.checking ??= this.checkNewest().finally(() => (this.checking = null));
    return this.checking;
  }

  async checkNewest() {
    for (let lost = 0; this.checked.version !== this.version; ) {
      const { version } = this;
      const waits = setTimeout(() => this.tell("", "Checking …"), 400);
      const answer = await this.page.ask("check", { text: this.editor.text });
      clearTimeout(waits);
      if (answer.lost && ++lost < 3) continue;
      if (version === this.version) this.show(version, answer.lost ? { error: { message: "The text could not be checked: Python was ended, or was not loaded.", line: null } } : answer);
    }
    return this.checked.answer;
  }

  /** @param {number} version @param {any} answer */
  show(version, answer) {
    this.checked = { version, answer };
    const { error } = answer;
    this.editor.mark(error?.line ? error : null);
    if (!error) return this.tell("good", `No errors: ${words(answer)}.`);
    if (!error.line) return this.tell("bad", error.message);
    const go = h("button.link", { type: "button", id: "go-to-fault", title: "Go there", onclick: () => this.editor.goToFault() }, `Line ${error.line}, column ${error.column}`);
    this.tell("bad", go, `: ${error.message}`);
  }

  /** @param {string} kind @param {...any} parts */
  tell(kind, ...parts) {
    this.status.className = `state ${kind}`;
    this.status.replaceChildren(h("p", null, parts));
  }

  /** Wait until the text was checked; where it has a fault, go there. @returns {Promise<boolean>} whether it has none */
  async valid() {
    const answer = await this.check();
    if (!answer.error) return true;
    this.editor.goToFault();
    return false;
  }

  async download() {
    if (!(await this.valid())) return;
    const answer = await this.page.ask("assemble", { text: this.editor.text });
    if (answer.attached) save(`${this.name || "module"}.wasm`, answer.attached, "application/wasm");
    else toast("Python was ended meanwhile; please try again");
  }

  /** Show the tab. */
  open() {
    this.editor.restore();
  }
}

/** @param {any} entry an example @returns {Draft} */
const draftOf = ({ text, name, says, inputs }) => ({ text, name, says, inputs, modified: false, link: null });

/** Say what a module is. @param {any} answer */
function words({ size: bytes, kind, functions }) {
  if (kind === "plugin") return `a plugin of ${size(bytes)}`;
  if (kind === "command") return `a program of ${size(bytes)}`;
  const named = functions.slice(0, 6).map((/** @type {string} */ name) => `“${name}”`).join(", ");
  const more = functions.length > 6 ? ` and ${counted(functions.length - 6, "other")}` : "";
  return kind === "functions" ? `a module of ${size(bytes)} that exports ${named}${more}` : `a module of ${size(bytes)}, which exports no function that could be called`;
}

/** @returns {Draft | null} */
function readKept() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    return typeof kept?.text === "string" ? kept : null;
  } catch {
    return null;
  }
}
