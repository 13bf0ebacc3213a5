// @ts-check
/** The Debug tab: the moves of a debugger session, and the state of the machine after each. */

import { Console } from "./console.js";
import { counted, h } from "./dom.js";
import { wasmSpans } from "./highlight.js";
import { parseAddress, rows } from "./memory.js";

/** The moves, as `debugging.py` names them; with Shift, or on the left, each goes backwards. */
const MOVES = [
  { name: "step", key: "s", text: "Step", ahead: "→", back: "←", says: "one instruction" },
  { name: "over", key: "n", text: "Over", ahead: "↷", back: "↶", says: "one instruction, a call as a whole" },
  { name: "out", key: "o", text: "Out", ahead: "↱", back: "↰", says: "until the function returns", saysBack: "to the call of the function" },
  { name: "run", key: "c", text: "Run", ahead: "⇥", back: "⇤", says: "until a breakpoint, or the end", saysBack: "to the breakpoint before, or the start" },
];

/** Milliseconds after which the Stop button appears. */
const LONG = 300;

/** Milliseconds that a move gets to stop: one that is in a function of the host, such as a sleep, does not. */
const GRACE = 3000;

export class DebugTab {
  /**
   * @param {() => Promise<any>} start opens a session on the call that the form describes
   * @param {(request: any) => Promise<any>} ask sends the session a request; `{error, lost}` where the session was ended
   * @param {() => void} end ends the session together with the worker
   */
  constructor(start, ask, end) {
    this.start = start;
    this.ask = ask;
    this.end = end;
    /** @type {any} */
    this.state = null;
    /** The function that the listing shows; `lines` has its lines by offset. @type {any} */
    this.code = null;
    /** @type {Map<number, HTMLElement>} */
    this.lines = new Map();
    this.cursor = -1;
    this.acting = false;
    /** How many actions have been carried out. */
    this.done = 0;
    this.running = false;
    this.stopping = false;
    /** The newest action that waits for the current one. @type {(() => Promise<any>) | null} */
    this.next = null;
    /** The newest step that the slider asked for. @type {number | null} */
    this.wanted = null;

    this.intro = h("div.intro", null);
    this.element = h("div.debug", null, this.intro, this.build());
    addEventListener("keydown", (event) => this.key(event));
    this.close();
  }

  build() {
    const moves = (/** @type {boolean} */ back) =>
      (back ? [...MOVES].reverse() : MOVES).map((move) => {
        const key = `${back ? "Shift+" : ""}${move.key.toUpperCase()}`;
        const says = `${move.text}${back ? " back" : ""}: ${(back && move.saysBack) || move.says} (${key})`;
        const arrow = h("span", { "aria-hidden": "true" }, back ? move.back : move.ahead);
        return h("button", { type: "button", title: says, "aria-label": says, "data-move": (back ? "back " : "") + move.name, onclick: () => this.move((back ? "back " : "") + move.name) },
          back ? [arrow, " ", move.text] : [move.text, " ", arrow]);
      });
    this.where = h("output.step", { "aria-label": "Step" });
    this.stopButton = h("button.danger", { type: "button", title: "Stop here (Esc); the session continues from the reached step", "data-move": "stop", onclick: () => this.stop() }, "Stop");
    this.slider = /** @type {any} */ (h("input", { type: "range", "aria-label": "Step of the call", step: "1", oninput: () => this.slide(this.slider.valueAsNumber) }));
    this.title = h("b.mono", null);
    this.says = h("span.why", null);
    this.explanation = h("p.explanation", null);
    this.answer = h("div.answer", null);
    /** What the call writes. */
    this.output = new Console();
    this.output.element.hidden = true;
    /** Takes what the call writes. @param {number} stream @param {string} text */
    this.show = (stream, text) => {
      this.output.element.hidden = false;
      this.output.write(stream, text);
    };
    this.problem = h("p.problem", { role: "alert" });

    this.functions = /** @type {any} */ (h("select", { "aria-label": "Function", onchange: () => this.showCode(Number(this.functions.value)) }));
    this.hereButton = h("button.quiet", { type: "button", title: "Show the instruction that is next", onclick: () => this.follow() }, "Back to ▶");
    this.listing = h("div.code.listing", { tabindex: "0", role: "listbox", "aria-label": "Instructions: the arrow keys move, Enter sets or removes a breakpoint", onkeydown: (/** @type {KeyboardEvent} */ event) => this.browse(event), onclick: (/** @type {MouseEvent} */ event) => this.click(event) });

    /** Make the section of a list. */
    const panel = (/** @type {string} */ id, /** @type {string} */ title) => {
      const list = h("div.rows", { "data-list": id });
      return { section: h(`section.list-${id}`, null, h("h3", null, title), list), list };
    };
    this.lists = {
      stack: panel("stack", "Operand stack, topmost first"),
      locals: panel("locals", "Locals"),
      labels: panel("labels", "Labels, innermost first"),
      frames: panel("frames", "Call stack, innermost first"),
      globals: panel("globals", "Globals"),
      breakpoints: panel("breakpoints", "Breakpoints and watched bytes"),
    };
    this.place = /** @type {any} */ (h("input", { "aria-label": "Where to stop", placeholder: "function, function:3, 0x1f4", spellcheck: "false", autocapitalize: "off" }));
    this.condition = /** @type {any} */ (h("input", { "aria-label": "Condition", placeholder: "if local.i == 7", spellcheck: "false", autocapitalize: "off" }));
    this.lists.breakpoints.section.append(
      h("form", { onsubmit: (/** @type {Event} */ event) => this.addBreakpoint(event) }, this.place, this.condition, h("button.quiet", { type: "submit" }, "Add")),
    );

    this.address = /** @type {any} */ (h("input", { "aria-label": "Address of memory", placeholder: "0x400, stack[-1], local.input", spellcheck: "false", autocapitalize: "off" }));
    this.unpin = h("button.quiet", { type: "button", title: "Show the bytes that the next instruction accesses", onclick: () => this.lookAt(null) }, "Follow the call");
    this.memoryText = h("span.note", null);
    this.hex = h("div.hex", { tabindex: "0", role: "group", "aria-label": "Bytes of memory", title: "Click a byte to stop where it is written", onclick: (/** @type {MouseEvent} */ event) => this.clickByte(event) });
    const legend = [["reads", "about to be read"], ["writes", "about to be written"], ["changed", "changed by the last move"], ["watched", "watched: a click on a byte"]];

    const { stack, locals, labels, frames, globals, breakpoints } = this.lists;
    this.session = h("div.session", { tabindex: "-1" },
      h("div.controls", null,
        h("div.moves", null,
          h("div", { role: "group", "aria-label": "Backwards" }, moves(true)),
          this.where,
          h("div", { role: "group", "aria-label": "Forwards" }, moves(false))),
        this.slider),
      h("div.says", { role: "status" }, h("p", null, this.title, " ", this.says), this.explanation),
      h("div.also", null, this.stopButton, h("button.quiet", { type: "button", "data-move": "restart", title: "Debug the call that the form describes now", onclick: () => this.open() }, "Start over")),
      this.problem, this.answer, this.output.element,
      h("div.machine", null,
        h("section.program", null, h("header", null, this.functions, this.hereButton), this.listing),
        h("div.side", null, stack.section, locals.section, globals.section),
        h("div.side", null, frames.section, labels.section, breakpoints.section)),
      h("section.linear", null,
        h("header", null, h("h3", null, "Memory"), this.memoryText,
          h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.lookAt(this.address.value.trim() || null); } }, this.address, h("button.quiet", { type: "submit" }, "Look"),
            h("button.quiet", { type: "button", title: "Stop when the byte at this address is written; press again to remove", onclick: () => this.watch(this.address.value) }, "Watch"), this.unpin)),
        this.hex,
        h("p.legend", null, legend.map(([kind, text]) => h("span", { style: `--swatch: var(--${kind})` }, text)))),
      h("p.note.keys", null, ...MOVES.flatMap(({ key, text }) => [h("kbd", null, key), ` ${text.toLowerCase()} `]),
        "· with ", h("kbd", null, "Shift"), " backwards · ", h("kbd", null, "b"), " breakpoint · ", h("kbd", null, "Esc"), " stops"));
    return this.session;
  }

  /* Sessions */

  /** End the session, and show the introduction. @param {string} [reason] a message to show */
  close(reason) {
    this.state = this.code = this.next = this.wanted = null;
    this.stopping = true;
    this.markRunning(false);
    this.session.hidden = true;
    this.intro.hidden = false;
    this.introduce(reason);
  }

  /** @param {string} [reason] */
  introduce(reason) {
    this.intro.replaceChildren(
      reason ? h("p.problem", { role: "alert" }, reason) : "",
      h("h3", null, "Step through the call, forwards and backwards"),
      h("p.note", null, "The debugger runs the call in a separate instance, one instruction at a time, with the input from the form above. Every move can be undone."),
      h("button.primary", { type: "button", "data-move": "open", onclick: () => this.open() }, "Debug this call"),
    );
  }

  /** Show why there is nothing to debug. @param {string} reason */
  refuse(reason) {
    this.close();
    this.intro.replaceChildren(h("p.note", null, reason));
  }

  async open() {
    if (this.acting) return this.stop();
    this.markActing(true);
    try {
      this.output.begin();
      const answer = await this.start();
      if (!answer) return;
      this.output.element.hidden = !this.output.end();
      // After an error the previous session, if there is one, stays open.
      if (answer.error) return this.state ? this.complain(answer.error.message) : this.close(answer.error.message);
      this.intro.hidden = true;
      this.session.hidden = false;
      this.code = null;
      this.functions.replaceChildren(...answer.functions.map((/** @type {any} */ [index, name]) => h("option", { value: index }, name)));
      this.address.value = this.place.value = this.condition.value = "";
      await this.draw(answer);
      this.session.focus({ preventScroll: true });
    } finally {
      this.markActing(false);
    }
  }

  /** Send a request and draw the new state; an error is shown and changes nothing. @param {any} request @param {boolean} [follow] */
  async request(request, follow = true) {
    const before = this.state;
    const answer = await this.ask(request);
    if (!before || before !== this.state) return null;
    if (answer.lost) this.close(answer.error.message);
    else if (answer.error) this.complain(answer.error.message);
    else await this.draw(answer, follow);
    return answer.error ? null : answer;
  }

  /** @param {string} text */
  complain(text) {
    this.problem.textContent = text;
  }

  /**
   * Run one action of the session at a time. Of the actions that are asked for meanwhile only the
   * newest runs; during a long move all are ignored.
   * @param {() => Promise<any>} work
   */
  async act(work) {
    if (!this.state || this.running) return;
    this.next = work;
    if (this.acting) return;
    this.markActing(true);
    try {
      while (this.next && this.state) {
        const now = this.next;
        this.next = null;
        this.stopping = false;
        await now();
        this.markRunning(false);
        this.session.dataset.done = String(++this.done);
      }
    } finally {
      this.markActing(false);
    }
  }

  /** @param {boolean} on */
  markActing(on) {
    this.acting = on;
    this.session.toggleAttribute("data-busy", on);
    this.session.setAttribute("aria-busy", String(on));
  }

  /* Moves */

  /** @param {string} name */
  move(name) {
    return this.act(async () => {
      const long = setTimeout(() => this.markRunning(true), LONG);
      let state = await this.ask({ do: "move", move: name });
      while (this.state && state.unfinished && !this.stopping) {
        this.markRunning(true);
        this.drawPlace(state);
        state = await this.ask({ do: "move", move: "proceed" });
      }
      clearTimeout(long);
      if (!this.state) return;
      if (state.lost) this.close(state.error.message);
      else if (state.error) this.complain(state.error.message);
      else await this.draw(state);
    });
  }

  /** End a long move at the step that it has reached. */
  stop() {
    const { state } = this;
    if (state && this.acting && !this.stopping) setTimeout(() => this.acting && this.state === state && this.end(), GRACE);
    this.stopping = true;
  }

  /** Go to a step; of several requests only the newest is carried out. @param {number} step */
  async slide(step) {
    this.wanted = step;
    await this.act(async () => {
      while (this.wanted !== null) {
        const to = this.wanted;
        this.wanted = null;
        await this.request({ do: "go", step: to });
      }
    });
  }

  /** @param {boolean} on */
  markRunning(on) {
    this.running = on;
    this.stopButton.hidden = !on;
    this.slider.disabled = on || !this.state || this.state.first === this.state.last;
    if (on) this.says.textContent = "Running …";
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!this.element.isConnected || !this.state || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input:not([type=range]), textarea, select")) return;
    if (target !== document.body && !this.element.closest(".details")?.contains(target)) return;
    const move = MOVES.find(({ key }) => key === event.key.toLowerCase());
    if (move) this.move((event.shiftKey ? "back " : "") + move.name);
    else if (event.key === "b") this.toggle(document.activeElement === this.listing && this.cursor >= 0 ? this.cursor : this.state.offset);
    else return;
    event.preventDefault();
  }

  /* Breakpoints */

  /** @param {number | null} offset */
  toggle(offset) {
    if (offset === null || !this.code) return;
    const owner = this.lines.has(offset) ? this.code.function : this.state.function;
    return this.act(() => this.request({ do: "toggle", function: owner, offset }, false));
  }

  /** @param {Event} event */
  addBreakpoint(event) {
    event.preventDefault();
    const condition = this.condition.value.replace(/^\s*if\b/, "");
    return this.act(async () => {
      if (await this.request({ do: "add", place: this.place.value, condition }, false)) this.place.value = this.condition.value = "";
    });
  }

  /** @param {MouseEvent} event */
  click(event) {
    const line = /** @type {HTMLElement} */ (event.target).closest("[data-at]");
    // A click that ends a selection of text sets no breakpoint.
    if (!line || !getSelection()?.isCollapsed) return;
    this.mark(Number(/** @type {HTMLElement} */ (line).dataset.at));
    this.toggle(this.cursor);
  }

  /** @param {string} address */
  watch(address) {
    return this.act(() => this.request({ do: "watch", address }, false));
  }

  /** @param {MouseEvent} event */
  clickByte(event) {
    const byte = /** @type {HTMLElement} */ (event.target).closest("b");
    const line = byte?.closest(".line");
    if (!byte?.parentElement || !line || !getSelection()?.isCollapsed) return;
    const column = [...byte.parentElement.children].indexOf(byte);
    const before = [...this.hex.children].indexOf(line) * byte.parentElement.children.length;
    this.watch(hex(this.state.memory.start + before + column));
  }

  /** Handle a key in the listing. @param {KeyboardEvent} event */
  browse(event) {
    const offsets = [...this.lines.keys()];
    const at = offsets.indexOf(this.cursor >= 0 ? this.cursor : this.state.offset);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 15, PageUp: at - 15, Home: 0, End: offsets.length - 1 }[event.key];
    if (to !== undefined) this.mark(offsets[Math.max(0, Math.min(to, offsets.length - 1))], true);
    else if (event.key === "Enter" || event.key === " ") this.toggle(this.cursor >= 0 ? this.cursor : this.state.offset);
    else return;
    event.preventDefault();
  }

  /** Move the listing's cursor to a line. @param {number} offset @param {boolean} [show] */
  mark(offset, show = false) {
    this.lines.get(this.cursor)?.classList.remove("cursor");
    this.cursor = offset;
    const line = this.lines.get(offset);
    line?.classList.add("cursor");
    this.listing.setAttribute("aria-activedescendant", line?.id ?? "");
    if (line && show) this.reveal(line);
  }

  /* Looking */

  /** @param {string | null} address */
  lookAt(address) {
    if (address !== null && parseAddress(address) === null && /^[\da-f]+$/i.test(address)) address = "0x" + address;
    return this.act(() => this.request({ do: "look", frame: this.state.frame, address }, false));
  }

  /** @param {number} frame */
  lookInto(frame) {
    return this.act(() => this.request({ do: "look", frame, address: this.state.memory.wanted }));
  }

  /* Drawing */

  /** @param {any} state @param {boolean} [follow] whether to show the code of the next instruction */
  async draw(state, follow = true) {
    this.state = state;
    this.complain("");
    this.title.textContent = state.title;
    this.says.textContent = [state.unfinished ? "Stopped. Every move continues from this step." : state.why, state.problem].filter(Boolean).join(" ");
    this.says.classList.toggle("trap", state.trap);
    const { text, says } = state.explanation ?? { text: "", says: "" };
    this.explanation.replaceChildren(h("code", null, wasmSpans(text)), " ", says);
    this.drawPlace(state);
    this.markRunning(false);
    this.drawAnswer(state.output);
    this.drawLists(state);
    this.drawMemory(state.memory);
    if (follow) await this.follow();
    else this.drawMarks();
  }

  /** @param {any} state */
  drawPlace({ step, first, last }) {
    this.where.replaceChildren(h("b", null, step.toLocaleString("en")), h("span", null, ` of ${last.toLocaleString("en")}`));
    this.slider.min = first;
    this.slider.max = last;
    if (this.wanted === null) this.slider.value = step;
  }

  /** @param {any} output */
  drawAnswer(output) {
    this.answer.hidden = !output;
    if (!output) return;
    if (output.error) this.answer.replaceChildren(h("p.problem", null, output.error));
    else
      this.answer.replaceChildren(
        h("h3", null, answers(output)),
        output.length ? h("pre.text", null, output.text + (output.length > output.text.length ? " …" : "")) : "",
      );
  }

  /** @param {any} state */
  drawLists({ stack, locals, labels, globals, frames, depth, frame, breakpoints, watchpoints }) {
    const value = (/** @type {any} */ { name, type, text, changed }) => row(changed, h("span.name", null, name), h("span.type", null, type), h("span.value", { title: text }, text));
    this.list("stack", stack, value, "empty");
    this.list("locals", locals, value, "none");
    this.list("globals", globals, value, "none");
    this.list("labels", labels, (/** @type {any} */ { name, kind, arity, target, changed }) =>
      row(changed, h("span.name", null, name), h("span.type", null, kind), h("button.link.value", { type: "button", title: "The target of a branch to this label", onclick: () => this.mark(target, true) }, `→ ${hex(target)}`), arity ? h("small", null, `takes ${arity}`) : ""), "none");
    // `frames` is without the middle of a deep call stack.
    this.list("frames", { rows: frames, more: depth - frames.length, at: frames.length / 2 }, (/** @type {any} */ shown) =>
      h("button.frame", { type: "button", "aria-current": String(shown.index === frame), title: shown.name, class: shown.changed ? "frame changed" : "frame", onclick: () => this.lookInto(shown.index) }, mark(shown.changed), h("b", null, shown.name), h("small", null, `${hex(shown.offset)} (${shown.parameters})`)), "nothing is running");
    this.list("breakpoints", { rows: [...breakpoints, ...watchpoints], more: 0 }, (point) => this.point(point), "click an instruction, or a byte");
  }

  /** Make the row of a breakpoint or a watchpoint. @param {any} point a watchpoint has an address */
  point(point) {
    const watched = point.address !== undefined;
    const show = () => (watched ? this.lookAt(hex(point.address)) : this.showCode(point.function, point.offset));
    return h("div.point", null,
      h("span.dot-mark", { "aria-hidden": "true" }, watched ? "◆" : "●"),
      h("button.link", { type: "button", title: "Show this place", onclick: show }, watched ? `memory ${hex(point.address)}` : `${point.name} ${hex(point.offset)}`),
      h("small", null, [point.text, point.condition && `if ${point.condition}`, point.hits && counted(point.hits, "stop")].filter(Boolean).join(" · ")),
      h("button.quiet.remove", { type: "button", "aria-label": `Remove ${point.number}`, title: "Remove", onclick: () => this.act(() => this.request({ do: "remove", number: point.number }, false)) }, "✕"));
  }

  /** @param {string} id @param {{rows: any[], more: number, at?: number}} content @param {(entry: any) => HTMLElement} draw @param {string} nothing */
  list(id, { rows: entries, more, at = entries.length }, draw, nothing) {
    const items = entries.map(draw);
    if (more) items.splice(at, 0, h("span.note", null, `… ${counted(more, "more", "more")} …`));
    if (!items.length) items.push(h("span.note", null, nothing));
    /** @type {any} */ (this.lists)[id].list.replaceChildren(...items);
  }

  /** @param {any} memory */
  drawMemory(memory) {
    this.memoryText.textContent = memory.problem ?? memory.text;
    this.unpin.hidden = memory.wanted === null;
    if (memory.wanted === null && document.activeElement !== this.address) this.address.value = "";
    this.hex.replaceChildren(...rows(memory, this.element.clientWidth < 560 ? 8 : 16));
  }

  /** Show the code of the selected frame. */
  async follow() {
    const { function: owner, offset } = this.state;
    this.mark(-1);
    if (owner === null) this.drawMarks();
    else await this.showCode(owner, offset);
  }

  /** Show a function. @param {number} owner its index @param {number | null} [offset] the instruction to show */
  async showCode(owner, offset = null) {
    const state = this.state;
    if (this.code?.function !== owner || (offset !== null && !this.lines.has(offset))) {
      const code = await this.ask({ do: "code", function: owner, offset });
      // A newer state shows its own code.
      if (this.state !== state || code.error) return;
      this.drawCode(code);
    }
    this.drawMarks();
    const line = this.lines.get(offset ?? -1);
    if (line && offset !== state.offset) this.mark(offset ?? -1);
    if (line) this.reveal(line);
    else this.listing.scrollTop = 0;
  }

  /** @param {any} code */
  drawCode(code) {
    this.code = code;
    this.lines.clear();
    this.cursor = -1;
    const { start, total } = code;
    const lines = code.text ? this.textLines(code) : this.instructionLines(code);
    const unit = code.text ? "line" : "instruction";
    this.listing.replaceChildren(
      start > 0 ? h("p.note", null, `${counted(start, unit)} before these`) : "",
      ...lines,
      start + lines.length < total ? h("p.note", null, `${counted(total - start - lines.length, unit)} after these`) : "",
    );
    this.functions.value = code.function;
  }

  /** Make a line for each instruction. @param {any} code */
  instructionLines({ lines }) {
    for (const [offset, depth, text] of lines) {
      this.lines.set(offset, h("div", { "data-at": offset, id: `line-${offset}`, role: "option" }, h("span.gutter", { "aria-hidden": "true" }), h("span.at", null, hex(offset)), "  ".repeat(depth), wasmSpans(text)));
    }
    return [...this.lines.values()];
  }

  /** Make the lines of the text; an instruction is a part of one. @param {any} code */
  textLines({ first, text: lines }) {
    return lines.map((/** @type {any} */ [text, marks], /** @type {number} */ index) => {
      const parts = [];
      let end = 0;
      for (const [column, length, offset] of marks) {
        if (column < end) continue;
        const part = h("span.op", { "data-at": offset, id: `line-${offset}`, role: "option" }, wasmSpans(text.slice(column, column + length)));
        this.lines.set(offset, part);
        parts.push(...wasmSpans(text.slice(end, column)), part);
        end = column + length;
      }
      // A click beside the instructions means the one that runs first.
      const at = marks.length ? Math.min(...marks.map((/** @type {any} */ mark) => mark[2])) : null;
      return h("div", { "data-at": at, role: "presentation" }, h("span.gutter", { "aria-hidden": "true" }), h("span.at", null, String(first + index)), ...parts, wasmSpans(text.slice(end)));
    });
  }

  /** Mark the next instruction and the breakpoints. */
  drawMarks() {
    const { function: owner, offset, frame, breakpoints } = this.state;
    const points = new Map(breakpoints.map((/** @type {any} */ point) => [point.offset, point]));
    for (const [at, line] of this.lines) {
      const here = this.code.function === owner && at === offset;
      line.classList.toggle("here", here);
      line.classList.toggle("waits", here && frame > 0);
      const point = points.get(at);
      line.classList.toggle("point", Boolean(point));
      line.setAttribute("aria-selected", String(here));
      line.title = point ? `Breakpoint ${point.number}` : "";
    }
    this.hereButton.disabled = owner === null;
  }

  /** Scroll the listing to a line that is not visible; the page does not scroll. @param {HTMLElement} line */
  reveal(line) {
    const { offsetTop, offsetHeight } = line;
    const { scrollTop, clientHeight } = this.listing;
    if (offsetTop < scrollTop + 2 * offsetHeight || offsetTop > scrollTop + clientHeight - 4 * offsetHeight) this.listing.scrollTop = offsetTop - clientHeight / 3;
  }
}

/** @param {any} output */
function answers({ results, length }) {
  if (results) return length ? "The function returns" : "The function returns nothing";
  return length ? `The tool answers ${counted(length, "character")}` : "The tool answers an empty string";
}

/** @param {number} offset */
const hex = (offset) => "0x" + offset.toString(16);

/** Make the sign of a value that the last move changed. @param {boolean} changed */
const mark = (changed) => (changed ? h("i.mark", { title: "changed by the last move", role: "img", "aria-label": "changed" }, "●") : "");

/** @param {boolean} changed @param {...any} cells */
const row = (changed, ...cells) => h(changed ? "div.changed" : "div", null, mark(changed), ...cells);
