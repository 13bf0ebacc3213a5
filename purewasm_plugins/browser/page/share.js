// @ts-check
/** The state in the page's address: the plugin's name, the tool, the input and the engine; or a text. */

/** The most characters of input in an address; browsers and chat programs cut longer addresses. */
const MOST = 6000;

/** The most characters of a link's compressed text, and the most bytes of the text itself. */
export const MOST_LINK = 8000;
const MOST_TEXT = 500_000;

/** @typedef {{plugin: string | null, tool: string | null, input: string | null, engine: string | null, text: string | null, edit: boolean}} Address */

/** @returns {Address} `edit` asks for the Edit tab, and `text` is what `unpackText` takes */
export function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  return { plugin: values.get("plugin"), tool: values.get("tool"), input: values.get("input"), engine: values.get("engine"), text: values.get("text"), edit: values.has("edit") || values.has("text") };
}

/**
 * @param {{plugin?: string, text?: string, tool?: string, input?: string, engine?: string}} state with neither a plugin nor a text, the address is that of the Edit tab
 * @returns {boolean} whether the input fitted
 */
export function writeAddress({ plugin, text, tool, input, engine }) {
  const values = new URLSearchParams(plugin !== undefined ? { plugin } : text !== undefined ? { text } : { edit: "" });
  const fits = (input ?? "").length <= MOST;
  if (tool) values.set("tool", tool);
  if (input && fits) values.set("input", input);
  if (engine) values.set("engine", engine);
  history.replaceState(null, "", "#" + values);
  return fits;
}

/** Compress a text for a link. @param {string} text */
export async function packText(text) {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * Read the text of a link, which may be anything.
 * @param {string} link
 * @returns {Promise<{text: string, problem: string}>} the text, or why there is none
 */
export async function unpackText(link) {
  if (link.length > MOST_LINK) return { text: "", problem: `This link is too long: its text has ${link.length.toLocaleString("en")} characters, and ${MOST_LINK.toLocaleString("en")} are the most.` };
  try {
    const bytes = Uint8Array.from(atob(link.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for (let read = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), problem: "" };
      // A few bytes can stand for very many.
      if ((read += value.length) > MOST_TEXT) {
        await reader.cancel();
        return { text: "", problem: `This link's text is too long: it has more than ${MOST_TEXT.toLocaleString("en")} bytes.` };
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return { text: "", problem: "This link is damaged: the text that it carries cannot be read." };
  }
}
