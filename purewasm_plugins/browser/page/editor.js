// @ts-check
/** A text area with line numbers, colours, and the fault of the text under its line. */

import { h } from "./dom.js";
import { wasmSpans } from "./highlight.js";

/** The height of a line, the space above the first one, and the width of the numbers, in pixels. */
const LINE = 20;
const ABOVE = 8;

/** Lines that are drawn above and below of those that can be seen. */
const MARGIN = 25;

/** Characters that the browser inserts too slowly as if they were typed. */
const SLOW = 5000;

/** The width of a character of a message, in characters of the text, roughly. */
const MESSAGE = 0.88;

/** The most characters of a line that are coloured. */
const COLOURED = 1000;

export class Editor {
  /** @param {string} label @param {() => void} onchange is called when the visitor has changed the text */
  constructor(label, onchange) {
    this.onchange = onchange;
    this.lines = [""];
    /** @type {{line: number, column: number, message: string} | null} */
    this.fault = null;
    /** Whether the next Tab leaves the text. */
    this.leaving = false;
    this.scrolled = { top: 0, left: 0 };
    /** The frame of the browser in which `update` runs, or 0. */
    this.frame = 0;
    this.area = /** @type {HTMLTextAreaElement} */ (h("textarea", {
      id: "text", "aria-label": label, "aria-describedby": "text-keys text-status", wrap: "off", spellcheck: "false", autocapitalize: "off", autocomplete: "off", autocorrect: "off",
      oninput: () => this.changed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event), onblur: () => (this.leaving = false),
    }));
    this.numbers = h("div.numbers", { "aria-hidden": "true" });
    this.layer = h("pre.layer", { "aria-hidden": "true" });
    this.strip = h("div.fault", { "aria-hidden": "true", hidden: true });
    this.sheet = h("div.sheet", null, this.numbers, this.layer, this.area, this.strip);
    this.element = h("div.editor", { onscroll: () => this.scroll() }, this.sheet);
    document.addEventListener("selectionchange", () => document.activeElement === this.area && this.dim());
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  get text() {
    return this.area.value;
  }

  /** Replace the text; the caret is at its beginning. @param {string} text */
  set(text) {
    this.area.value = text;
    this.area.setSelectionRange(0, 0);
    this.fault = null;
    this.scrolled = { top: 0, left: 0 };
    this.element.scrollTo(0, 0);
    this.measure();
    this.draw();
  }

  changed() {
    // The browser inserts many lines one by one.
    this.frame ||= requestAnimationFrame(() => this.update());
    this.onchange();
  }

  /** Draw the changed text. */
  update() {
    this.frame = 0;
    const before = this.lines.length;
    this.measure();
    // The mark keeps its place until the text was checked again.
    if (this.fault && this.caret().line <= this.fault.line + this.lines.length - before) this.fault.line += this.lines.length - before;
    this.draw();
  }

  /** Put the text's size on the sheet, which scrolls. */
  measure() {
    this.lines = this.area.value.split("\n");
    let most = 0;
    // Of most lines the length is enough: a character has the room of two at most, and a tab of four.
    for (const line of this.lines) if (line.length * 4 > most) most = Math.max(most, columns(line));
    this.sheet.style.setProperty("--columns", String(most + 2));
    this.sheet.style.setProperty("--digits", String(Math.max(3, String(this.lines.length).length)));
    this.sheet.style.height = `${this.lines.length * LINE + 2 * ABOVE + 3 * LINE}px`;
  }

  scroll() {
    this.scrolled = { top: this.element.scrollTop, left: this.element.scrollLeft };
    this.draw();
  }

  /** Show the place that was scrolled to, after the element was out of the page. */
  restore() {
    this.element.scrollTo(this.scrolled.left, this.scrolled.top);
    this.draw();
  }

  /** Draw the lines that can be seen. */
  draw() {
    const height = this.element.clientHeight;
    if (!height) return;
    const first = Math.max(0, Math.floor(this.element.scrollTop / LINE) - MARGIN);
    const shown = this.lines.slice(first, first + Math.ceil(height / LINE) + 2 * MARGIN);
    const bad = this.fault ? this.fault.line - 1 - first : -1;
    this.layer.replaceChildren(...shown.map((line, at) => h(at === bad ? "div.bad" : "div", null, at === bad ? this.faultySpans(line) : spans(line))));
    this.numbers.replaceChildren(...shown.map((_, at) => h(at === bad ? "div.bad" : "div", null, String(first + at + 1))));
    for (const element of [this.layer, this.numbers]) element.style.paddingTop = `${first * LINE + ABOVE}px`;
    this.drawFault();
  }

  /** Mark the token of the fault in its line. @param {string} line */
  faultySpans(line) {
    const start = this.faultColumn(line);
    const [token] = /^(?:"(?:[^"\\]|\\.)*"?|[^\s()";]+|.)/.exec(line.slice(start)) ?? [""];
    return [...spans(line.slice(0, start)), h("span.wrong", null, token || " "), ...spans(line.slice(start + token.length))];
  }

  /** Python counts characters, JavaScript units of UTF-16. @param {string} line */
  faultColumn(line) {
    return [...line].slice(0, (this.fault?.column ?? 1) - 1).join("").length;
  }

  /* The fault */

  /** @param {{line: number, column: number, message: string} | null} fault */
  mark(fault) {
    this.fault = fault && { ...fault };
    this.area.setAttribute("aria-invalid", String(Boolean(fault)));
    this.draw();
  }

  /** Put the message under its line: behind the caret where there is room, else before or below it. */
  drawFault() {
    const { fault, strip } = this;
    strip.hidden = !fault;
    if (!fault) return;
    const line = this.lines[fault.line - 1] ?? "";
    const column = columns(line.slice(0, this.faultColumn(line)));
    const wide = this.characterWidth();
    const room = Math.max(20, Math.floor((this.element.clientWidth - this.numbers.clientWidth - 30) / wide));
    const seen = column - Math.floor(this.element.scrollLeft / wide);
    const length = fault.message.length * MESSAGE;
    strip.className = `fault ${seen + 2 + length <= room ? "after" : seen - 1 > length ? "before" : "two"}`;
    strip.replaceChildren(h("b", null, "^"), h("span", null, fault.message));
    strip.style.setProperty("--column", String(column));
    strip.style.setProperty("--room", String(room));
    strip.style.setProperty("--wide", `${wide}px`);
    strip.style.top = `${fault.line * LINE + ABOVE}px`;
    this.dim();
  }

  characterWidth() {
    this.width ||= this.measureCharacter();
    return this.width || 8;
  }

  measureCharacter() {
    const probe = h("span", null, "0".repeat(100));
    this.layer.append(probe);
    const { width } = probe.getBoundingClientRect();
    probe.remove();
    return width / 100;
  }

  /** Let the lines under the message be seen while the caret is in them. */
  dim() {
    if (!this.fault) return;
    const below = this.caret().line - this.fault.line;
    this.strip.classList.toggle("dim", document.activeElement === this.area && below >= 1 && below <= 2);
  }

  caret() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
  }

  /** Put the caret at the fault. */
  goToFault() {
    if (!this.fault) return this.area.focus();
    const line = this.fault.line - 1;
    const start = this.lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
    const at = start + this.faultColumn(this.lines[line] ?? "");
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(at, at);
    const top = line * LINE;
    if (top < this.element.scrollTop || top > this.element.scrollTop + this.element.clientHeight - 4 * LINE) this.element.scrollTop = top - this.element.clientHeight / 3;
  }

  /* Keys */

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.leaving = true;
    else if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey && !this.leaving) {
      event.preventDefault();
      this.indent();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const before = this.area.value.slice(0, this.area.selectionStart);
      const [space] = /^ */.exec(before.slice(before.lastIndexOf("\n") + 1)) ?? [""];
      this.insert("\n" + space);
    } else if (!["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) this.leaving = false;
  }

  /** Insert two spaces, or put them before each line of a selection. */
  indent() {
    const { area } = this;
    const { value, selectionStart, selectionEnd } = area;
    if (!value.slice(selectionStart, selectionEnd).includes("\n")) return this.insert("  ");
    const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
    area.setSelectionRange(start, selectionEnd);
    const lines = value.slice(start, selectionEnd).replace(/^(?=.)/gm, "  ");
    this.insert(lines);
    area.setSelectionRange(start, start + lines.length);
  }

  /** Replace the selection, as typing does: it can be undone. @param {string} text */
  insert(text) {
    // This keeps the browser's history, and takes milliseconds for each line.
    if (text.length < SLOW && document.execCommand("insertText", false, text)) return;
    this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    this.changed();
  }
}

/** Return the room that a line takes at most, in characters. @param {string} line */
const columns = (line) => (/[^ -~]/.test(line) ? line.replace(/\t/g, "    ").replace(/[^ -~]/gu, "xx").length : line.length);

/** @param {string} line */
const spans = (line) => (line.length > COLOURED ? [line] : wasmSpans(line));
