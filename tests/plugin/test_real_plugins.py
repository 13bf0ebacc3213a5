"""Plugins with real work in them, against Python's own modules and against wasmtime.

Each is run as it came out of its compiler, whatever its allocator believes about memory: the sizes
are there to make it take pages while it reads its input.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins import ToolFailedError, WasmPlugin
from tests.conftest import ROOT

Load = Callable[..., WasmPlugin]
Make = Callable[[random.Random, int], str]
Oracle = Callable[[str], str]

PLUGINS = ROOT / "fixtures" / "plugins"

# Inputs of a given size, more or less.

WORDS = ["plugin", "Host", "straße", "ÉTÉ", "größe", "測量", "naïve", "memory", "0x10", "a", "🎈"]


def make_text(chance: random.Random, size: int) -> str:
    words: list[str] = []
    while size > 0:
        word = chance.choice(WORDS) + chance.choice([" ", " ", ", ", ".\n", "\n"])
        words.append(word)
        size -= len(word.encode())
    return "".join(words)


def make_lines(chance: random.Random, size: int) -> str:
    """Longer ones where there are many, or sorting would be all that is tried."""
    lines: list[str] = []
    longest = 2 + size // 10_000
    while size > 0:
        line = chance.choice(WORDS) * chance.randint(0, longest) + str(chance.randint(0, 10**6))
        line = line if chance.random() > 0.02 else chance.choice(["", "\r", "ﬀ", "\U00010000"])
        lines.append(line)
        size -= len(line.encode()) + 1
    return "\n".join(lines) + chance.choice(["", "\n"])


def make_csv(chance: random.Random, size: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=chance.choice(["\n", "\r\n"]))
    writer.writerow(["id", "näme", 'quoted "key"', "more"])
    for number in itertools.count():
        text = chance.choice(WORDS)
        more = chance.choice(["", "a,b", 'say "hi"', "two\nlines", "back\\slash", "tab\t", "ü"])
        writer.writerow([number, text * chance.randint(0, 3), more, chance.randint(-9, 10**9)])
        if len(out.getvalue() if size < 4000 else "") > size or number * 32 > size:
            return out.getvalue()
    raise AssertionError


def make_json(chance: random.Random, size: int) -> str:
    def value(depth: int) -> Any:
        kind = chance.randint(0, 7 if depth < 5 else 4)
        if kind > 5:
            return [value(depth + 1) for _ in range(chance.randint(0, 4))]
        if kind > 4:
            keys = (f"{chance.choice(WORDS)}{chance.randint(0, 99)}" for _ in range(4))
            return {key: value(depth + 1) for key in keys}
        return chance.choice([None, True, -0.5, 10**12, 'a "text"\n\\ é', "", 1e-7, "🎈", 0])

    items = [value(0) for _ in range(max(1, size // 40))]
    return json.dumps(items, ensure_ascii=False, indent=chance.choice([None, 1, 3, "\t"]))


def make_base64(chance: random.Random, size: int) -> str:
    encoded = base64.b64encode(make_text(chance, size * 3 // 4).encode()).decode()
    return "\n".join(encoded[i : i + 76] for i in range(0, len(encoded), 76))


def make_hex(chance: random.Random, size: int) -> str:
    return bytes(chance.randint(1, 127) for _ in range(size // 2)).hex()


def make_two_lines(chance: random.Random, size: int) -> str:
    """Uneven ones, as the work is the product of their lengths."""
    words = make_text(chance, min(size, 3000)).replace("\n", " ")
    return f"{words}\n{chance.choice(WORDS)}{words[:20]}"


def make_pair(chance: random.Random, size: int) -> str:
    a, b = make_two_lines(chance, size).split("\n")
    return json.dumps({"a": a, "b": b}, ensure_ascii=False)


def make_sort_arguments(chance: random.Random, size: int) -> str:
    arguments: dict[str, Any] = {"text": make_lines(chance, size)}
    if chance.random() < 0.5:
        arguments |= {"descending": chance.random() < 0.5, "unique": chance.random() < 0.5}
    return json.dumps(arguments, ensure_ascii=chance.random() < 0.5)


# The expected outputs of the tools.


def csv_to_json(text: str) -> str:
    header, *rows = (row for row in csv.reader(io.StringIO(text, newline="")) if row)
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    return json.dumps(objects, ensure_ascii=False, separators=(",", ":"))


def lines_of(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def sort_lines(text: str, key: Callable[[str], Any] = str.encode) -> str:
    return "".join(line + "\n" for line in sorted(lines_of(text), key=key))


def sort_lines_utf_16(text: str) -> str:
    return sort_lines(text, key=lambda line: line.encode("utf-16-be"))


def sort_lines_with_options(arguments: str) -> str:
    options = json.loads(arguments)
    lines = sorted(lines_of(options["text"]), reverse=options.get("descending", False))
    if options.get("unique"):
        lines = list(dict.fromkeys(lines))
    return "".join(line + "\n" for line in lines)


def edits(a: str, b: str) -> str:
    row = [*range(len(b) + 1)]
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(diagonal + (left != right), row[j] + 1, row[j - 1] + 1)
    return str(row[-1])


def json_summary(text: str) -> str:
    def measure(value: Any) -> tuple[int, int]:
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list):
            return 1, 1
        inner = [measure(item) for item in value]
        return 1 + sum(n for n, _ in inner), 1 + max((d for _, d in inner), default=0)

    values, levels = measure(json.loads(text))
    return f"{values} values, {levels} levels, {len(text.encode()) / values:.1f} bytes a value"


def compact(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


def pretty(text: str, *, sort_keys: bool = False) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=sort_keys)


def lines_of_fields(text: str) -> str:
    """An array for each line, split at commas: quotes mean nothing."""
    rows = text.removesuffix("\n").split("\n") if text else []
    escaped = (row.replace("\\", "\\\\").replace('"', '\\"') for row in rows)
    return "[" + ",".join('["' + row.replace(",", '","') + '"]' for row in escaped) + "]"


def count_words(text: str) -> str:
    words = Counter("".join(c if c.isalnum() else " " for c in text).lower().split())
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{count} {word}\n" for word, count in ordered)


def ascii_upper(text: str) -> str:
    return text.encode().upper().decode()


LINES_TOOLS: dict[str, tuple[Make, Oracle | None]] = {
    "sort_lines": (make_lines, sort_lines_utf_16),
    "levenshtein": (make_two_lines, lambda text: edits(*text.split("\n"))),
    "csv_to_json": (make_csv, csv_to_json),
}

#: Every plugin, its tools, what makes an input, and what must come out. A tool without that is
#: compared with wasmtime alone.
TOOLS: dict[str, dict[str, tuple[Make, Oracle | None]]] = {
    "starter/shout_c.wasm": {"shout": (make_text, ascii_upper)},
    "starter/shout_zig.wasm": {"shout": (make_text, ascii_upper)},
    "starter/shout_rust.wasm": {"shout": (make_text, str.upper)},
    "starter/shout_assemblyscript.wasm": {"shout": (make_text, str.upper)},
    "c_encode/encode.wasm": {
        "base64_encode": (make_text, lambda text: base64.b64encode(text.encode()).decode()),
        "base64_decode": (make_base64, lambda text: base64.b64decode(text).decode()),
        "sha256": (make_text, lambda text: hashlib.sha256(text.encode()).hexdigest()),
    },
    "c_hex/hex.wasm": {
        "hex_encode": (make_text, lambda text: text.encode().hex()),
        "hex_decode": (make_hex, lambda text: bytes.fromhex(text).decode()),
    },
    "c_json/json.wasm": {
        "json_pretty": (make_json, pretty),
        "json_compact": (make_json, compact),
        "json_sort_keys": (make_json, functools.partial(pretty, sort_keys=True)),
        "json_summary": (make_json, json_summary),
    },
    "c_csv/csv.wasm": {
        "csv_to_json": (make_csv, csv_to_json),
        "sort_lines": (make_lines, sort_lines),
    },
    "c_libc_csv/csv.wasm": {"csv_to_json": (make_csv, lines_of_fields)},
    "zig_text/text.wasm": {
        "levenshtein": (make_pair, lambda text: edits(**json.loads(text))),
        "sort_lines": (make_sort_arguments, sort_lines_with_options),
    },
    "as_lines/lines.wasm": LINES_TOOLS,
    "as_lines/lines_exports.wasm": LINES_TOOLS,
    "as_lines/lines_stub.wasm": LINES_TOOLS,
    "rust_documents/documents.wasm": {
        "markdown_to_html": (make_text, None),
        "csv_to_json": (make_csv, csv_to_json),
        "sort_lines": (make_lines, sort_lines),
        "count_words": (make_text, count_words),
    },
}
EACH = [(plugin, tool) for plugin, tools in TOOLS.items() for tool in tools]


def test_every_plugin_is_tried() -> None:
    files = {path.relative_to(PLUGINS).as_posix() for path in PLUGINS.rglob("*.wasm")}
    # `test_host_functions.py`, `wasi/test_languages.py` and `capabilities/test_examples.py` run the
    # plugins that import functions.
    elsewhere = ("host_functions/", "wasi_starter/", "capabilities/")
    assert {file for file in files if not file.startswith(elsewhere)} == {*TOOLS}


@pytest.mark.parametrize("plugin", TOOLS)
def test_its_tools(load: Load, plugin: str) -> None:
    loaded = load(plugin)
    assert [tool.name for tool in loaded.tools] == [*TOOLS[plugin]]
    assert all(tool.description for tool in loaded.tools)
    assert loaded.name == (
        Path(plugin).stem if plugin.startswith("starter") else Path(plugin).parent.name
    )


def check(plugin: WasmPlugin, name: str, tool: str, seed: int, size: int) -> None:
    make, oracle = TOOLS[name][tool]
    text = make(random.Random(seed), size)
    answer = plugin.execute_tool(tool, text)
    expected = oracle(text) if oracle is not None else by_wasmtime(name).execute_tool(tool, text)
    # Lengths first: pytest would take minutes to show the difference.
    assert len(answer) == len(expected), (answer[:200], expected[:200])
    assert answer == expected


@pytest.mark.parametrize(("name", "tool"), EACH)
def test_against_python(load: Load, engine: str, name: str, tool: str) -> None:
    """One plugin, many calls: short ones, longer ones, short ones again."""
    plugin = load(name)
    sizes = (1, 60, 0) if engine == "pywasm" else (0, 1, 10, 300, 20, 1500, 1, 10_000, 700)
    for seed, size in enumerate(sizes):
        if size or tool not in ("base64_decode", "csv_to_json"):
            check(plugin, name, tool, seed, size)


#: One tool of each plugin that takes many pages while it works.
FIRST = {
    "starter/shout_assemblyscript.wasm": "shout",
    "c_encode/encode.wasm": "base64_encode",
    "c_json/json.wasm": "json_pretty",
    "c_csv/csv.wasm": "csv_to_json",
    "zig_text/text.wasm": "sort_lines",
    "as_lines/lines.wasm": "sort_lines",
    "as_lines/lines_exports.wasm": "sort_lines",
    "as_lines/lines_stub.wasm": "sort_lines",
    "rust_documents/documents.wasm": "csv_to_json",
}


@pytest.mark.parametrize(("name", "tool"), FIRST.items())
def test_a_first_call_with_a_large_input(load: Load, engine: str, name: str, tool: str) -> None:
    """200 KB: the plugin's allocator first wakes up while the input stands in memory.

    The interpreter gets a page of text: it would need many minutes for what the translator does in
    seconds, and memory and the places of inputs are the same for both.
    """
    size = 300 if engine == "pywasm" else 200_000
    if "exports" in name:
        size //= 10  # its inputs are in memory from its allocator
    plugin = load(name, timeout=None)
    check(plugin, name, tool, 1, size)
    check(plugin, name, tool, 2, 100)
    check(plugin, name, tool, 3, size // 8)


@pytest.mark.parametrize("name", FIRST)
def test_many_calls_take_no_more_memory(load: Load, engine: str, name: str) -> None:
    """The stub runtime never frees, so its memory may grow; that of the others does not."""
    plugin = load(name)
    tool = FIRST[name]
    rounds, size = (3, 30) if engine == "pywasm" else (40, 1000)
    for seed in range(rounds):
        check(plugin, name, tool, seed % 3, size)
    if "stub" not in name:
        at_rest = len(plugin.instance.exports.memory().raw)
        for seed in range(rounds):
            check(plugin, name, tool, seed % 3, size)
        assert len(plugin.instance.exports.memory().raw) == at_rest


# Against wasmtime.


class ByWasmtime:
    """The plugin ABI over wasmtime; each call runs in a fresh instance."""

    def __init__(self, name: str) -> None:
        self.engine = wasmtime.Engine()
        self.module = wasmtime.Module.from_file(self.engine, str(PLUGINS / name))
        self.tools = [*TOOLS[name]]

    def execute_tool(self, tool: str, text: str) -> str:
        store = wasmtime.Store(self.engine)
        exports: Any = wasmtime.Instance(store, self.module, []).exports(store)
        memory = exports["memory"]
        if "_initialize" in exports:
            exports["_initialize"](store)
        data = text.encode() + b"\0"
        allocate = exports.get("plugin_alloc") or exports.get("malloc")
        if allocate is not None:
            pointer = allocate(store, len(data))
        elif "__new" in exports:
            pointer = exports["__pin"](store, exports["__new"](store, len(data), 1))
        else:
            pointer = memory.grow(store, len(data) // 65536 + 1) * 65536
        memory.write(store, data, pointer)
        answer = exports["plugin_tool_execute"](store, self.tools.index(tool), pointer)
        failure = exports["plugin_tool_error"](store) if "plugin_tool_error" in exports else 0
        if failure:
            return f"failed: {self._string(store, memory, failure)}"
        return self._string(store, memory, answer)

    def _string(self, store: wasmtime.Store, memory: Any, pointer: int) -> str:
        rest = memory.read(store, pointer & 0xFFFFFFFF, memory.data_len(store))
        return bytes(rest[: rest.index(0)]).decode("utf-8", "replace")


@functools.cache
def by_wasmtime(name: str) -> ByWasmtime:
    return ByWasmtime(name)


#: The stub runtime takes over the pages that a host grows: by hand, its input cannot be placed.
COMPARED = [(name, tool) for name, tool in EACH if "stub" not in name]

#: Texts between valid inputs of the tools and noise.
tool_texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.text('ab,"\n\r\\ {}[]:1-.e#*_`>()!é🎈=', max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text('ab"\\é', max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner),
        max_leaves=5,
    ).map(json.dumps),
    st.fixed_dictionaries(
        {}, optional={"a": st.text("xyz"), "b": st.text("xyz"), "text": st.text("x\ny")}
    ).map(json.dumps),
)


@functools.cache
def kept(engine: str, name: str) -> WasmPlugin:
    return WasmPlugin.load(PLUGINS / name, engine=engine)


@pytest.mark.parametrize(("name", "tool"), COMPARED)
@given(text=tool_texts)
@settings(max_examples=15)
def test_against_wasmtime(engine: str, name: str, tool: str, text: str) -> None:
    """All outputs are the same, including messages for bad inputs."""
    expected = by_wasmtime(name).execute_tool(tool, text)
    try:
        found = kept(engine, name).execute_tool(tool, text)
    except ToolFailedError as error:
        found = f"failed: {error.details}"
    assert found == expected


# Tools without an equivalent in Python's modules.

MARKDOWN = [
    ("# Title", "<h1>Title</h1>"),
    ("a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>"),
    ("[x](https://example.org)", '<p><a href="https://example.org">x</a></p>'),
    ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
    ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
    ("> q", "<blockquote>\n<p>q</p>\n</blockquote>"),
    ("```py\nx < 1\n```", '<pre><code class="language-py">x &lt; 1\n</code></pre>'),
    ("---", "<hr />"),
    ("a & <b>", "<p>a &amp; &lt;b&gt;</p>"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "html"), MARKDOWN)
def test_markdown(load: Load, text: str, html: str) -> None:
    answer = load("rust_documents/documents.wasm").execute_tool("markdown_to_html", text)
    assert answer.strip() == html
