// @ts-check
/** The Memory tab: bytes as hexadecimal digits and as text, with what the last call changed. */

import { counted, h, size } from "./dom.js";

const ROWS = 24;

export class MemoryTab {
  /** @param {(start: number, size: number) => Promise<any>} fetch gets bytes from the workbench */
  constructor(fetch) {
    this.fetch = fetch;
    /** @type {any} */
    this.summary = null;
    this.start = 0;
    this.width = 16;
    this.address = /** @type {HTMLInputElement} */ (h("input", { "aria-label": "Address", placeholder: "address, 0x…", spellcheck: "false" }));
    this.overview = h("div.overview", { title: "The whole memory: click to show a place", onclick: (/** @type {MouseEvent} */ event) => this.seek(event) });
    this.jumps = h("div.row", null);
    this.hex = h("div.hex", { tabindex: "0", role: "group", "aria-label": "Bytes of memory; the arrow and page keys move", onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) });
    this.says = h("p.note", null);
    this.element = h("div.panel.memory", null, this.says, this.overview, this.jumps, this.hex, legend());
  }

  /**
   * Show a memory.
   * @param {any} summary as the workbench gives it
   * @param {boolean} afterCall whether to show the place of the output or input
   */
  show(summary, afterCall) {
    this.summary = summary;
    const place = summary?.output ?? summary?.input;
    if (afterCall && place) this.start = place[0];
    else if (!afterCall || this.start >= (summary?.total ?? 0)) this.start = 0;
  }

  async open() {
    const summary = this.summary;
    const none = !summary || !summary.total;
    for (const part of [this.overview, this.jumps, this.hex]) part.hidden = none;
    if (none) {
      this.says.textContent = summary ? "The memory is empty." : "The module exports no memory.";
      return;
    }
    this.width = this.element.clientWidth < 620 ? 8 : 16;
    const host = summary.host ? ` Behind them the host keeps ${size(summary.host)} of its own for inputs (hatched).` : "";
    const most = summary.maximum === null ? "" : `, at most ${summary.maximum}`;
    this.says.textContent = `${counted(summary.pages, "page")} of 64 KiB${most}.${host}`;
    this.overview.replaceChildren(
      ...summary.overview.map((/** @type {string} */ cell) => h("i", { class: ["c", "i", "o", "h", "d"].filter((kind) => cell.includes(kind)).sort((a, b) => "iochd".indexOf(a) - "iochd".indexOf(b))[0] ?? "" })),
      (this.here = h("span.here", null)),
    );
    await this.draw();
  }

  async draw() {
    const summary = this.summary;
    const length = ROWS * this.width;
    const last = Math.max(0, Math.ceil((summary.total - length) / this.width) * this.width);
    this.start = Math.min(Math.max(0, Math.floor(this.start / this.width) * this.width), last);
    const piece = await this.fetch(this.start, length);
    if (piece.error || summary !== this.summary) return;
    this.piece = piece;
    this.hex.replaceChildren(...rows(piece, this.width));
    if (this.here) {
      this.here.style.left = `${(100 * this.start) / summary.total}%`;
      this.here.style.width = `${(100 * length) / summary.total}%`;
    }
    this.drawJumps(length);
  }

  /** @param {number} length */
  drawJumps(length) {
    const { input, output, changes } = this.summary;
    const { previous, next } = this.piece;
    /** @param {string} text @param {number | null | undefined} to @param {string} [label] */
    const jump = (text, to, label) =>
      h("button.quiet", { type: "button", disabled: to === null || to === undefined, "aria-label": label, title: label, onclick: () => this.go(to ?? 0) }, text);
    const go = (/** @type {Event} */ event) => {
      event.preventDefault();
      const at = parseAddress(this.address.value);
      if (at === null) this.address.setAttribute("aria-invalid", "true");
      else this.go(at);
    };
    if (!this.form) {
      this.form = h("form.row", { onsubmit: go }, this.address, h("button.quiet", { type: "submit" }, "Go"));
      this.buttons = h("div.row", null);
      this.jumps.replaceChildren(this.form, h("span.spacer", null), this.buttons);
    }
    this.buttons?.replaceChildren(
      jump("Input", input?.[0]),
      jump("Output", output?.[0]),
      jump(changes ? "‹ change" : "no changes", previous, "The change before this piece"),
      changes ? jump("change ›", next, "The change after this piece") : "",
      jump("▲", this.start > 0 ? this.start - length : null, "Earlier bytes"),
      jump("▼", this.start + length < this.summary.total ? this.start + length : null, "Later bytes"),
    );
  }

  /** @param {number} to */
  go(to) {
    this.start = to;
    return this.draw();
  }

  /** @param {MouseEvent} event */
  seek(event) {
    const box = this.overview.getBoundingClientRect();
    this.go(Math.floor(((event.clientX - box.left) / box.width) * this.summary.total));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const length = ROWS * this.width;
    const to = {
      ArrowUp: this.start - this.width, ArrowDown: this.start + this.width,
      PageUp: this.start - length, PageDown: this.start + length,
      Home: 0, End: this.summary.total,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.go(to);
  }
}

/** @param {any} piece @param {number} width */
export function rows(piece, width) {
  const bytes = piece.hex.match(/../g) ?? [];
  /** @type {string[]} */
  const marks = new Array(bytes.length).fill("");
  for (const [kind, low, high] of piece.marks) for (let at = low; at < high; at++) marks[at] += " " + kind;
  const digits = Math.max(4, (piece.start + bytes.length).toString(16).length);
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const row = bytes.slice(at, at + width);
    const kind = (/** @type {number} */ column) => (marks[at + column] + (row[column] === "00" ? " zero" : "")).trim() || null;
    lines.push(
      h("div.line", null,
        h("span.at", null, (piece.start + at).toString(16).padStart(digits, "0")),
        h("span.bytes", null, row.map((/** @type {string} */ byte, /** @type {number} */ column) => h("b", { class: kind(column) }, byte))),
        h("span.text", null, row.map((/** @type {string} */ byte, /** @type {number} */ column) => h("b", { class: kind(column) }, printable(parseInt(byte, 16)))))),
    );
  }
  return lines;
}

/** @param {number} byte */
const printable = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");

/** @param {string} text */
export function parseAddress(text) {
  const trimmed = text.trim();
  if (/^0x[\da-f]+$/i.test(trimmed)) return parseInt(trimmed, 16);
  return /^\d+$/.test(trimmed) ? Number(trimmed) : null;
}

function legend() {
  const entries = [["input", "input"], ["output", "output"], ["changed", "changed by the last call"]];
  return h("p.legend", null, entries.map(([kind, text]) => h("span", { style: `--swatch: var(--${kind})` }, text)));
}
