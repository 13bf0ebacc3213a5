// @ts-check
/** The console: standard output and standard error of a call, in the order in which they are written. */

import { counted, h, toast } from "./dom.js";

/** The most characters and pieces that are kept; the earliest make room. */
const KEPT = 200_000;
const PIECES = 5_000;

const STDERR = 2;

export class Console {
  constructor() {
    /** The frame of the browser in which `draw` runs, or 0. */
    this.frame = 0;
    this.says = h("span.note", null);
    this.text = h("pre.text", { tabindex: "0", role: "log", "aria-label": "Standard output and standard error" });
    this.element = h("section.console", null,
      h("div.result-title", null, h("h3", null, "Console"), this.says,
        h("div.actions", null, h("button.quiet", { type: "button", onclick: () => this.copy() }, "Copy"))),
      this.text);
    this.clear();
  }

  clear() {
    this.stale = false;
    /** What was written and is not yet drawn. @type {{stream: number, text: string}[]} */
    this.pending = [];
    this.length = this.dropped = 0;
    this.text.replaceChildren();
    this.element.classList.remove("mixed");
  }

  /** Begin a call; what the last one wrote stays until this one writes or ends. */
  begin() {
    this.stale = true;
  }

  /** @param {number} stream @param {string} text */
  write(stream, text) {
    if (this.stale) this.clear();
    const last = this.pending.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.pending.push({ stream, text });
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** End a call: show everything. @returns {boolean} whether something was written */
  end() {
    if (this.stale) this.clear();
    this.draw();
    return this.length > 0;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { text: pre } = this;
    const atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 8;
    for (const { stream, text } of this.pending) {
      this.dropped += Math.max(0, text.length - KEPT);
      this.append(stream, visible(text.slice(-KEPT)));
    }
    this.pending = [];
    this.trim();
    this.says.replaceChildren(...this.notes());
    if (atEnd) this.scroll();
  }

  /** Show the end. */
  scroll() {
    this.text.scrollTop = this.text.scrollHeight;
  }

  /** @param {number} stream @param {string} text */
  append(stream, text) {
    const kind = stream === STDERR ? "err" : "out";
    const last = /** @type {HTMLElement | null} */ (this.text.lastElementChild);
    if (last?.className === kind) /** @type {Text} */ (last.firstChild).appendData(text);
    else this.text.append(h(`span.${kind}`, null, text));
    if (stream === STDERR) this.element.classList.add("mixed");
    this.length += text.length;
  }

  trim() {
    while (this.length > KEPT || this.text.childElementCount > PIECES) {
      const first = /** @type {Element} */ (this.text.firstElementChild);
      const content = /** @type {Text} */ (first.firstChild);
      const excess = this.text.childElementCount > PIECES ? content.length : Math.min(this.length - KEPT, content.length);
      if (excess === content.length) first.remove();
      else content.deleteData(0, excess);
      this.length -= excess;
      this.dropped += excess;
    }
  }

  notes() {
    const notes = [];
    if (this.element.classList.contains("mixed")) notes.push(h("span.err", null, "standard error"), " is in this colour");
    if (this.dropped > 0) notes.push(`${notes.length ? "; " : ""}${counted(this.dropped, "earlier character")} left out`);
    return notes;
  }

  async copy() {
    await navigator.clipboard.writeText(this.text.textContent ?? "");
    toast("Output copied");
  }
}

/** Show control characters as pictures: no sequence of them has an effect. @param {string} text */
const visible = (text) =>
  text.replace(/\r\n/g, "\n").replace(/[\0-\x08\x0b-\x1f\x7f]/g, (letter) => (letter === "\x7f" ? "␡" : String.fromCharCode(0x2400 + letter.charCodeAt(0))));
