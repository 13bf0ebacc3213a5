"""The examples of the playground, with what the page shows of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from purewasm_plugins.bundled import example, has_example
from purewasm_plugins.support.records import Record


class Bundled(Record):
    """An example plugin as the page offers it.

    Attributes:
        name: the example's name.
        title: its title in the list, in a few words.
        summary: a short description, in the list.
        group: the heading of its group in the list.
        inputs: tool -> the first input or arguments in its form; of a program, "_start" -> those
            of its fields.
        hint: a sentence above its form, or "".
    """

    name: str
    title: str
    summary: str
    group: str
    inputs: Mapping[str, Any] = {}
    hint: str = ""

    @property
    def file(self) -> str:
        """The name of its file in the site."""
        return f"{self.name}.wasm"

    def read(self) -> bytes:
        """Return the bytes of its file.

        Raises:
            PluginError: this copy of the package is without the file.
            OSError: the file cannot be read.
        """
        return example(self.name).read_bytes()

    def described(self) -> dict[str, Any]:
        """Return what the page's list needs, as JSON has it."""
        return {
            "file": self.file,
            "title": self.title,
            "summary": self.summary,
            "group": self.group,
            "inputs": dict(self.inputs),
            "hint": self.hint,
        }


_START = "Start here"
_REAL = "Compiled plugins"
_PROGRAMS = "Programs"
_DEBUG = "To debug"
_TROUBLE = "Trouble"

_PEOPLE = "name,born\nGrace,1906\nAda,1815\n"
_JSON = '{"list":[1,2,{"deep":true}],"name":"Ada","born":1815}'
_LINES = "pear\napple\nfig\napple"

#: Every plugin that the page offers, in its order.
_ALL: tuple[Bundled, ...] = (
    Bundled(
        "echo",
        "echo",
        "Answers what it is given",
        _START,
        {"echo": "Hello, WebAssembly!"},
    ),
    Bundled(
        "zig_text",
        "text, in Zig",
        "Two tools with a form each",
        _START,
        {
            "levenshtein": {"a": "kitten", "b": "sitting"},
            "sort_lines": {"text": _LINES, "unique": True},
        },
    ),
    Bundled(
        "rust_documents",
        "documents, in Rust",
        "Markdown, tables, lines, words",
        _START,
        {
            "markdown_to_html": "# Hello\n\n*Markdown* becomes **HTML**:\n\n- one\n- two\n",
            "csv_to_json": _PEOPLE,
            "sort_lines": _LINES,
            "count_words": "How many words are these?",
        },
    ),
    Bundled(
        "shout_rust",
        "shout, in Rust",
        "Upper-cases a text",
        _REAL,
        {"shout": "hello from Rust"},
    ),
    Bundled(
        "shout_c",
        "shout, in C",
        "The same in 395 bytes",
        _REAL,
        {"shout": "hello from C"},
    ),
    Bundled(
        "c_json",
        "JSON, in C",
        "Checks it and lays it out",
        _REAL,
        {
            "json_pretty": _JSON,
            "json_compact": '{ "name" : "Ada" }',
            "json_sort_keys": _JSON,
            "json_summary": _JSON,
        },
    ),
    Bundled(
        "c_csv",
        "CSV, in C",
        "Tables as JSON, sorted lines",
        _REAL,
        {"csv_to_json": _PEOPLE, "sort_lines": _LINES},
    ),
    Bundled(
        "c_encode",
        "encodings, in C",
        "Base64 and SHA-256",
        _REAL,
        {"base64_encode": "Hello!", "base64_decode": "SGVsbG8h", "sha256": "abc"},
    ),
    Bundled(
        "as_lines",
        "lines, in AssemblyScript",
        "A language close to TypeScript",
        _REAL,
        {"sort_lines": _LINES, "levenshtein": "kitten\nsitting", "csv_to_json": _PEOPLE},
    ),
    Bundled(
        "stateful",
        "stateful, by hand",
        "Remembers its earlier calls",
        _REAL,
    ),
    Bundled(
        "count_c",
        "count, in C",
        "Lines, words and bytes of files",
        _PROGRAMS,
        {"_start": {"stdin": "To be, or not to be:\nthat is the question.\n"}},
        "Without arguments it counts its input. Drop a text on the page, such as “notes.txt”, and "
        "give it as an argument: /notes.txt",
    ),
    Bundled(
        "buggy_shout",
        "buggy shout, by hand",
        "Misses a letter: which code is wrong?",
        _DEBUG,
        {"shout": "pizza"},
        "“pizza” should become “PIZZA”. Press Debug, then Run ⇥. In the memory, click the byte 7a "
        "of the output to watch it; Run ⇤ then goes back to the instruction that wrote it.",
    ),
    Bundled(
        "trap_division",
        "divides by zero",
        "A trap, and its backtrace",
        _TROUBLE,
        {"divide": "anything"},
    ),
    Bundled(
        "recurse_forever",
        "calls itself",
        "Until the stack is used up",
        _TROUBLE,
        {"recurse": "anything"},
    ),
    Bundled(
        "loop_forever",
        "never ends",
        "Press Stop, or wait for the limit",
        _TROUBLE,
        {"loop": "anything"},
    ),
    Bundled(
        "grow_until_refused",
        "takes all memory",
        "Grows its memory until the host refuses",
        _TROUBLE,
    ),
    Bundled(
        "imports_host",
        "needs an import",
        "Imports a function that is not given",
        _TROUBLE,
    ),
    Bundled(
        "missing_execute",
        "lacks an export",
        "A module, but no plugin",
        _TROUBLE,
    ),
)


def bundled_plugins() -> tuple[Bundled, ...]:
    """Return the plugins that the page offers and that this copy of the package has."""
    return tuple(bundled for bundled in _ALL if has_example(bundled.name))
