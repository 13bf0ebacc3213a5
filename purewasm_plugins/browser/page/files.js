// @ts-check
/** The Files tab: the file system in memory that modules see as “/”; the visitor adds to it, and takes from it. */

import { counted, h, save, size, toast } from "./dom.js";

/** The most bytes of a file that is added. */
const LARGEST = 32 * 1024 * 1024;

export class FilesTab {
  /** @param {(request: any, data?: ArrayBuffer) => Promise<any>} ask sends the workbench a request about the files */
  constructor(ask) {
    this.ask = ask;
    /** The path of the file that is shown, or "". */
    this.shown = "";
    /** How many files there are. */
    this.count = 0;
    /** Is called with `count` when the files were listed. @type {(count: number) => void} */
    this.oncount = () => {};
    this.says = h("span.note", { role: "status" });
    this.zip = h("button.quiet", { type: "button", onclick: () => this.take("zip", "", "files.zip", "application/zip") }, "Download all");
    this.clear = h("button.quiet", { type: "button", onclick: () => this.removeAll() }, "Clear");
    this.into = /** @type {HTMLInputElement} */ (h("input.mono", { value: "/", list: "directories", spellcheck: "false", autocapitalize: "off", autocomplete: "off" }));
    this.directories = h("datalist", { id: "directories" });
    this.problem = h("p.problem", { role: "alert" });
    this.tree = h("div.tree", { role: "group", "aria-label": "Files" });
    this.view = h("section.view", { hidden: true });
    const chosen = /** @type {HTMLInputElement} */ (h("input", { type: "file", multiple: true, "aria-label": "Add files", onchange: async () => {
      await this.add([...(chosen.files ?? [])], this.into.value);
      chosen.value = "";
    } }));
    this.element = h("div.panel.files", { ondragover: (/** @type {DragEvent} */ event) => this.drag(event), ondragleave: () => this.mark(null), ondrop: (/** @type {DragEvent} */ event) => this.drop(event) },
      h("div.row", null,
        h("label.drop", null, chosen, h("span", null, h("strong", null, "Drop files here"), ", or ", h("u", null, "choose some"))),
        h("label.into", null, "Into the directory ", this.into), this.directories),
      this.problem,
      h("div.row", null, this.says, h("span.spacer", null), this.zip, this.clear),
      this.tree,
      this.view);
  }

  /** Send a request. @param {any} request @param {ArrayBuffer} [data] @returns {Promise<any>} the answer; null where it was an error, which is shown */
  async request(request, data) {
    const answer = await this.ask(request, data);
    this.problem.textContent = answer.error?.message ?? "";
    return answer.error ? null : answer;
  }

  /** List the files. */
  async open() {
    const answer = await this.ask({ do: "list" });
    if (answer.error) return;
    const focused = this.buttons().indexOf(/** @type {any} */ (document.activeElement));
    this.count = answer.files;
    this.problem.textContent = "";
    this.draw(answer);
    this.oncount(answer.files);
    // The list was made anew: the button in the same place gets the focus.
    if (focused >= 0) (this.buttons()[Math.min(focused, this.buttons().length - 1)] ?? this.into).focus();
    if (this.shown) await this.show(this.shown);
  }

  buttons() {
    return /** @type {HTMLElement[]} */ ([...this.tree.querySelectorAll("button")]);
  }

  /** @param {any} answer */
  draw({ rows, more, files, bytes }) {
    this.zip.toggleAttribute("disabled", !rows.length);
    this.clear.toggleAttribute("disabled", !rows.length);
    this.says.textContent = rows.length ? `${counted(files, "file")}, ${size(bytes)}, in memory only` : "There are no files yet. A module sees them under “/”.";
    const paths = ["/"];
    const lists = [h("ul", null)];
    /** @type {string[]} */
    const above = [];
    for (const [depth, name, kind, bytes, target] of rows) {
      lists.length = depth + 1;
      above.length = depth;
      const path = [...above, name].join("/");
      const item = h("li", { "data-directory": kind === "directory" ? "/" + path : null }, this.entry(path, name, kind, bytes, target));
      lists[depth].append(item);
      if (kind !== "directory") continue;
      paths.push("/" + path);
      above.push(name);
      lists.push(h("ul", null));
      item.append(lists[depth + 1]);
    }
    this.tree.replaceChildren(...(rows.length ? [lists[0]] : []), more ? h("p.note", null, `${counted(more, "more entry", "more entries")} not shown; the zip has all of them.`) : "");
    this.directories.replaceChildren(...paths.slice(0, 200).map((path) => h("option", { value: path })));
  }

  /** @param {string} path @param {string} name @param {string} kind @param {number} bytes @param {string | null} target */
  entry(path, name, kind, bytes, target) {
    const remove = h("button.icon", { type: "button", "aria-label": `Delete ${path}`, title: "Delete", onclick: () => this.remove(path) }, "✕");
    if (kind === "directory") {
      const choose = () => {
        this.into.value = "/" + path;
        this.into.focus();
      };
      return h("div.entry", null, h("button.link.name", { type: "button", title: "Add files to this directory", onclick: choose }, name + "/"), remove);
    }
    if (kind === "link") return h("div.entry", null, h("span.name", null, name, h("span.note", null, ` → ${target}`)), remove);
    return h("div.entry", null,
      h("button.link.name", { type: "button", title: "Show this file", onclick: () => this.show(path) }, name),
      h("span.note", null, size(bytes)),
      h("button.icon", { type: "button", "aria-label": `Download ${path}`, title: "Download", onclick: () => this.take("take", path, name, "application/octet-stream") }, "⤓"),
      remove);
  }

  /* Changes */

  /** Add files that the visitor chose or dropped. @param {File[]} files @param {string} into the path of a directory */
  async add(files, into) {
    const directory = into.split("/").filter(Boolean).join("/");
    let added = 0;
    /** @type {string[]} */
    const problems = [];
    for (const file of files) {
      let message = `${file.name} has ${size(file.size)}; files of up to ${size(LARGEST)} can be added`;
      if (file.size <= LARGEST) {
        // A directory that was dropped cannot be read.
        const data = await file.arrayBuffer().catch(() => null);
        const answer = data && (await this.ask({ do: "add", path: directory ? `${directory}/${file.name}` : file.name }, data));
        message = data ? answer.error?.message : `${file.name} cannot be read`;
      }
      if (message) problems.push(message);
      else added++;
    }
    await this.open();
    this.problem.textContent = problems.join(". ");
    if (added) toast(`${counted(added, "file")} added to /${directory}`);
  }

  /** @param {string} path */
  async remove(path) {
    if (path === this.shown || this.shown.startsWith(path + "/")) this.hide();
    if (await this.request({ do: "remove", path })) await this.open();
  }

  async removeAll() {
    if (!confirm(`Remove all files (${this.count})?`)) return;
    this.hide();
    this.into.value = "/";
    if (await this.request({ do: "clear" })) await this.open();
    this.into.focus();
  }

  /* Contents */

  /** Show the beginning of a file. @param {string} path */
  async show(path) {
    const answer = await this.request({ do: "read", path });
    if (!answer) return this.hide();
    this.shown = path;
    this.view.hidden = false;
    this.view.replaceChildren(
      h("div.result-title", null, h("h3.mono", null, "/" + path), h("span.note", null, answer.cut && answer.text !== null ? `the first 64 KiB of ${size(answer.size)}` : size(answer.size)),
        h("div.actions", null, h("button.quiet", { type: "button", onclick: () => this.hide() }, "Close"))),
      answer.text === null ? h("p.note", null, "This file is no text. It can be downloaded.") : h("pre.text", { tabindex: "0", "aria-label": `Content of ${path}` }, answer.text),
    );
  }

  hide() {
    this.shown = "";
    this.view.hidden = true;
    this.view.replaceChildren();
  }

  /** Save bytes on the visitor's machine. @param {string} request @param {string} path @param {string} name @param {string} type */
  async take(request, path, name, type) {
    const answer = await this.request(path ? { do: request, path } : { do: request });
    if (answer) save(name, answer.attached ?? "", type);
  }

  /* Dragging */

  /** @param {DragEvent} event */
  drag(event) {
    event.preventDefault();
    this.mark(/** @type {Element} */ (event.target).closest("[data-directory]"));
    this.element.classList.add("target");
  }

  /** Mark the directory that files would be dropped into. @param {Element | null} item */
  mark(item) {
    this.element.classList.remove("target");
    for (const other of this.tree.querySelectorAll(".target")) other.classList.remove("target");
    item?.classList.add("target");
  }

  /** @param {DragEvent} event */
  async drop(event) {
    event.preventDefault();
    const item = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-directory]"));
    this.mark(null);
    await this.add([...(event.dataTransfer?.files ?? [])], item?.dataset.directory ?? this.into.value);
  }
}
