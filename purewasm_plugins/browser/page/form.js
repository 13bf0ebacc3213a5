// @ts-check
/** The form of a tool: fields made from its JSON Schema, or one text box for a tool without a schema. */

import { h } from "./dom.js";

/**
 * Make the form of a tool.
 * @param {{name: string, schema: any}} tool
 * @param {any} initial the first content: a text, or arguments
 * @returns {{element: HTMLElement, read: () => {input?: string, arguments?: any}, shareable: () => string}}
 */
export function toolForm(tool, initial) {
  if (!tool.schema) return textForm(initial);
  if (!tool.schema.properties || tool.schema.type !== "object") return jsonForm(initial);
  return schemaForm(tool.schema, initial);
}

/** @param {any} initial */
function textForm(initial) {
  const text = initial === undefined ? "" : typeof initial === "string" ? initial : JSON.stringify(initial);
  const box = area("input", text, 4);
  return {
    element: h("div.field", null, h("label", { for: "input" }, "Input"), box),
    read: () => ({ input: box.value }),
    shareable: () => box.value,
  };
}

/** @param {any} initial */
function jsonForm(initial) {
  const box = area("input", initial === undefined ? "{}" : pretty(initial), 6);
  return {
    element: h("div.field", null, h("label", { for: "input" }, "Arguments, as JSON"), box),
    read: () => ({ arguments: box.value }),
    shareable: () => box.value,
  };
}

/**
 * Make the form of a command.
 * @param {any} initial the first content of the fields, or its JSON text
 * @returns {{element: HTMLElement, read: () => {args: string, env: string, stdin: string}, shareable: () => string}}
 */
export function commandForm(initial) {
  const given = parsed(initial) ?? {};
  const args = /** @type {any} */ (h("input.mono", { id: "args", type: "text", value: given.args ?? "", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "args-hint" }));
  const stdin = area("stdin", given.stdin ?? "", 2);
  const env = area("env", given.env ?? "", 2);
  env.placeholder = "NAME=value";
  const optional = () => h("small", null, " (optional)");
  const read = () => ({ args: args.value, env: env.value, stdin: stdin.value });
  return {
    element: h("div.fields.command", null,
      h("div.field.wide", null, h("label", { for: "args" }, "Arguments", optional()), args, h("p.note", { id: "args-hint" }, "As in a shell: spaces separate, quotation marks hold together.")),
      h("div.field", null, h("label", { for: "stdin" }, "Standard input", optional()), stdin),
      h("div.field", null, h("label", { for: "env" }, "Environment", optional()), env)),
    read,
    shareable: () => (Object.values(read()).some(Boolean) ? JSON.stringify(read()) : ""),
  };
}

const EXAMPLES = /** @type {Record<string, string>} */ ({ i32: "42, -1, 0xff", i64: "42, -1, 0xff", f32: "1.5, inf, nan", f64: "1.5, inf, nan", v128: "32 hexadecimal digits", funcref: "null", externref: "null" });

/**
 * Make the form of an exported function: a field for each parameter.
 * @param {{name: string, params: string[]}} callable
 * @param {any} initial the arguments as texts, or their JSON text
 * @returns {{element: HTMLElement, read: () => {arguments: string[]}, shareable: () => string}}
 */
export function functionForm({ params }, initial) {
  const given = parsed(initial) ?? [];
  const inputs = params.map((type, at) =>
    /** @type {any} */ (h("input.mono", { id: `argument-${at}`, type: "text", value: given[at] ?? (type.endsWith("ref") ? "null" : type === "v128" ? "" : "0"), placeholder: EXAMPLES[type], autocomplete: "off", autocapitalize: "off", spellcheck: "false" })));
  const read = () => ({ arguments: inputs.map((input) => input.value) });
  return {
    element: inputs.length
      ? h("div.fields", null, inputs.map((input, at) => h("div.field", null, h("label", { for: input.id }, `Argument ${at + 1}`, h("small", null, ` ${params[at]}`)), input)))
      : h("p.note", null, "It takes no arguments."),
    read,
    shareable: () => JSON.stringify(read().arguments),
  };
}

/** @param {any} schema @param {any} initial */
function schemaForm(schema, initial) {
  const given = parsed(initial) ?? {};
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const fields = Object.entries(schema.properties).map(([name, property], index) =>
    field(`field-${index}`, name, property ?? {}, required.has(name), given[name]),
  );
  const read = () => {
    /** @type {Record<string, any>} */
    const result = {};
    for (const { name, value } of fields) {
      const found = value();
      if (found !== undefined) result[name] = found;
    }
    return result;
  };
  return {
    element: h("div.fields", null, fields.map((entry) => entry.element)),
    read: () => ({ arguments: read() }),
    shareable: () => JSON.stringify(read()),
  };
}

/**
 * @param {string} id @param {string} name @param {any} property its schema
 * @param {boolean} required @param {any} given
 */
function field(id, name, property, required, given) {
  const start = given ?? property.default;
  const type = Array.isArray(property.type) ? property.type.find((/** @type {string} */ t) => t !== "null") : property.type;
  const control = controlFor(id, type, property, required, start);
  const hint = [property.description, bounds(property)].filter(Boolean).join(" ");
  const label = property.title || name;
  const element =
    type === "boolean" && !property.enum
      ? h("div.field", null, h("label.check", null, control.element, label), hint && h("p.note", null, hint))
      : h(
          control.wide ? "div.field.wide" : "div.field",
          null,
          h("label", { for: id }, label, required ? "" : h("small", null, " (optional)")),
          control.element,
          hint && h("p.note", { id: `${id}-hint` }, hint),
        );
  return { name, element, value: control.value };
}

/**
 * @param {string} id @param {string} type @param {any} property @param {boolean} required @param {any} start
 * @returns {{element: any, value: () => any, wide?: boolean}}
 */
function controlFor(id, type, property, required, start) {
  if (Array.isArray(property.enum)) {
    const none = h("option", { value: "" }, required ? "choose" : "none");
    const options = property.enum.map((/** @type {any} */ choice, /** @type {number} */ at) =>
      h("option", { value: String(at), selected: same(choice, start) }, typeof choice === "string" ? choice : JSON.stringify(choice)),
    );
    const element = /** @type {any} */ (h("select", { id }, none, options));
    return { element, value: () => (element.value === "" ? undefined : property.enum[Number(element.value)]) };
  }
  if (type === "boolean") {
    const element = /** @type {any} */ (h("input", { id, type: "checkbox", checked: start === true }));
    const untouched = start === undefined && !required;
    let touched = false;
    element.addEventListener("change", () => (touched = true));
    return { element, value: () => (untouched && !touched ? undefined : element.checked) };
  }
  if (type === "integer" || type === "number") {
    const element = /** @type {any} */ (
      h("input", { id, type: "number", step: property.multipleOf ?? (type === "integer" ? 1 : "any"), min: property.minimum, max: property.maximum, value: start ?? "" })
    );
    return { element, value: () => (element.value === "" ? undefined : Number(element.value)) };
  }
  if (type === "string") {
    // A string without a small maximum length gets a box that grows with its text.
    const long = !property.format && !property.pattern && (property.maxLength ?? 1000) > 100;
    const element = long ? growing(id, start ?? "") : /** @type {any} */ (h("input", { id, type: "text", value: start ?? "", autocomplete: "off", spellcheck: "false" }));
    return { element, wide: String(start ?? "").includes("\n"), value: () => (element.value === "" && !required ? undefined : element.value) };
  }
  const element = area(id, start === undefined ? "" : pretty(start), 3);
  element.placeholder = type === "array" ? '["JSON", "list"]' : "JSON";
  return {
    element,
    wide: true,
    value: () => {
      if (element.value.trim() === "") return undefined;
      const value = parsed(element.value);
      // Text that is not JSON is sent as a string; the schema check then says which type is expected.
      return value === undefined ? element.value : value;
    },
  };
}

/** @param {any} property */
function bounds({ minimum, maximum, pattern }) {
  if (minimum !== undefined && maximum !== undefined) return `From ${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  if (maximum !== undefined) return `At most ${maximum}.`;
  return pattern ? `Pattern: ${pattern}` : "";
}

/** @param {string} id @param {string} text @param {number} rows @returns {any} */
function area(id, text, rows) {
  const lines = Math.min(14, Math.max(rows, text.split("\n").length + 1));
  return h("textarea", { id, rows: lines, spellcheck: "false", autocapitalize: "off", value: text });
}

/** @param {string} id @param {string} text @returns {any} */
function growing(id, text) {
  const box = area(id, text, 1);
  box.rows = Math.min(14, Math.max(1, text.split("\n").length));
  box.classList.add("growing");
  return box;
}

/** @param {any} value */
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** @param {any} a @param {any} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** @param {any} value */
function parsed(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
