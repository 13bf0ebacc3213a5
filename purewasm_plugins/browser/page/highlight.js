// @ts-check
/** Syntax colours for WebAssembly text and Python: each function makes the spans of one line. */

import { h } from "./dom.js";

const CONTROL = /^(?:block|loop|if|else|end|br|br_if|br_table|return|call|call_indirect|unreachable|nop|drop|select|func|param|result|local|then|module|import|export|memory|data|table|elem|global|mut|start|offset|item|declare|type)$/;

/** Colour one line of the text format. @param {string} text */
export function wasmSpans(text) {
  return spans(text, /;;.*$|\(;.*?;\)|"(?:[^"\\]|\\.)*"|\$[^\s()]+|[-+]?(?:0x[\da-f.p+-]+|\d[\w.+-]*|nan\S*|inf)(?![\w.])|[a-z][\w.]*/gi, (token) => {
    if (token.startsWith(";;") || token.startsWith("(;")) return "c";
    if (token.startsWith('"')) return "s";
    if (token.startsWith("$")) return "";
    if (/^[-+\d]|^nan|^inf/.test(token)) return "n";
    if (CONTROL.test(token)) return "k";
    return /\.(?:load|store)|^memory\.|^data\./.test(token) ? "m" : "";
  });
}

const KEYWORDS = /^(?:and|as|break|class|continue|def|del|elif|else|except|finally|for|global|if|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|None|True|False)$/;

/** Colour one line of Python. @param {string} text */
export function pythonSpans(text) {
  return spans(text, /#.*$|[bf]?'(?:[^'\\]|\\.)*'|[bf]?"(?:[^"\\]|\\.)*"|\b(?:0x[\da-f]+|\d[\w.]*)|[a-z_]\w*/gi, (token) => {
    if (token.startsWith("#")) return "c";
    if (/^[bf]?['"]/.test(token)) return "s";
    if (/^\d/.test(token)) return "n";
    if (KEYWORDS.test(token)) return "k";
    return /^(?:memory|load|store)/.test(token) ? "m" : "";
  });
}

/** @param {string} text @param {RegExp} pattern @param {(token: string) => string} kind */
function spans(text, pattern, kind) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const name = kind(match[0]);
    if (!name) continue;
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push(h(`span.${name}`, null, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}
