// @ts-check
/** Helpers that make elements. Text is inserted as text, never as HTML: a plugin's strings are not trusted. */

/**
 * Make an element.
 * @param {string} tag the element's name, followed by its classes: `div.card.done`
 * @param {Record<string, any> | null} [attributes] `on…` adds a listener; `true` sets an attribute without a value
 * @param {...any} children elements or texts; null, undefined and false are ignored
 * @returns {HTMLElement}
 */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") /** @type {any} */ (element).value = value;
    // The content security policy forbids the `style` attribute.
    else if (key === "style") element.style.cssText = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Make a row of tabs; the arrow keys move between them.
 * @param {string} label
 * @param {{id: string, text: string}[]} tabs
 * @param {string} chosen the id of the first tab to show
 * @param {(id: string) => void} choose is called with the id of each chosen tab
 * @param {string} panel the id of the element that shows the chosen tab's content
 */
export function tabList(label, tabs, chosen, choose, panel) {
  const buttons = tabs.map(({ id, text }) =>
    h("button", { type: "button", role: "tab", "data-id": id, "aria-controls": panel, onclick: () => select(id, false) }, text),
  );
  const list = h("div.tabs", { role: "tablist", "aria-label": label, onkeydown }, buttons);
  /** @param {string} id @param {boolean} focus */
  function mark(id, focus) {
    for (const button of buttons) {
      const on = button.dataset.id === id;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on && focus) button.focus();
    }
  }
  /** @param {string} id @param {boolean} focus */
  function select(id, focus) {
    mark(id, focus);
    choose(id);
  }
  /** @param {KeyboardEvent} event */
  function onkeydown(event) {
    const at = buttons.findIndex((button) => button === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    select(buttons[(to + buttons.length) % buttons.length].dataset.id ?? "", true);
  }
  mark(chosen, false);
  return list;
}

/**
 * Scroll a container as little as possible so that an element in it is visible. The page does not
 * scroll; `scrollIntoView` would scroll that, too.
 * @param {Element} container @param {Element} element
 */
export function reveal(container, element) {
  const frame = container.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  container.scrollBy(distance(frame.left, frame.right, box.left, box.right), distance(frame.top, frame.bottom, box.top, box.bottom));
}

/** @param {number} low @param {number} high @param {number} start @param {number} end how far start to end is outside of low to high */
const distance = (low, high, start, end) => (start < low ? start - low : Math.max(0, Math.min(end - high, start - low)));

/** Scroll the page until an element begins at its top, smoothly unless the visitor prefers no motion. @param {Element} element */
export function scrollTo(element) {
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
  element.scrollIntoView({ block: "start", behavior });
}

/** Save content as a file on the visitor's machine. @param {string} name @param {BlobPart} content @param {string} type */
export function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

/** Show a text for 2.6 seconds. @param {string} text */
export function toast(text) {
  const element = byId("toast");
  element.textContent = text;
  element.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => element.classList.remove("shown"), 2600);
}
/** @type {any} */
toast.timer = 0;

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = one + "s") => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return counted(bytes, "byte");
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(bytes < 10240 ? 1 : 0)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 1000) return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}

/** Return what the browser keeps for this page. @param {string} key */
export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The browser may forbid storage; the page then starts with the defaults.
  }
}
