// @ts-check
/** Files that are dropped on the page. */

import { byId, counted, toast } from "./dom.js";

/**
 * Take what is dropped anywhere on the page.
 * @param {{files: import("./files.js").FilesTab, open: (file: File) => void, isReady: () => boolean, takesFiles: () => boolean}} page
 * `open` takes a module; where the page `takesFiles`, what is no module is added to the files
 */
export function connectDrops({ files, open, isReady, takesFiles }) {
  let depth = 0;
  const veil = byId("veil");
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth++;
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    // The Files tab takes files itself.
    veil.classList.toggle("shown", !files.element.contains(/** @type {Node} */ (event.target)));
    byId("veil-text").textContent = files.element.isConnected ? "Drop a module to load it, or other files to add them" : "Drop the file to load the plugin";
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) veil.classList.remove("shown");
  });
  addEventListener("drop", (event) => {
    const taken = event.defaultPrevented;
    event.preventDefault();
    depth = 0;
    veil.classList.remove("shown");
    const dropped = [...(event.dataTransfer?.files ?? [])];
    if (taken || !dropped.length) return;
    if (!isReady()) return toast("Python is still loading; please try again in a moment");
    const data = dropped.filter(({ name }) => !/\.wa(sm|t)$/i.test(name));
    if (takesFiles() && data.length) return void files.add(data, files.into.value);
    open(dropped[0]);
    if (dropped.length > 1) toast(`${counted(dropped.length, "file")} were dropped; this is the first one`);
  });
}
