// @ts-check
/** The state in the page's address: the plugin's name, the tool, the input and the engine. */

/** The most characters of input in an address; browsers and chat programs cut longer addresses. */
const MOST = 6000;

/** @returns {{plugin: string | null, tool: string | null, input: string | null, engine: string | null}} */
export function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  return { plugin: values.get("plugin"), tool: values.get("tool"), input: values.get("input"), engine: values.get("engine") };
}

/**
 * @param {{plugin: string, tool?: string, input?: string, engine?: string}} state
 * @returns {boolean} whether the input fitted
 */
export function writeAddress({ plugin, tool, input, engine }) {
  const values = new URLSearchParams({ plugin });
  const fits = (input ?? "").length <= MOST;
  if (tool) values.set("tool", tool);
  if (input && fits) values.set("input", input);
  if (engine) values.set("engine", engine);
  history.replaceState(null, "", "#" + values);
  return fits;
}
