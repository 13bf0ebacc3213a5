"""The plugins that a visitor can pick: which they are, and where their files lie.

They are fixtures of the repository. A wheel holds copies of them in `plugins/`, beside this module;
a checkout has them where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PACKAGED = Path(__file__).parent / "plugins"
_FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Bundled:
    """A plugin to pick.

    Attributes:
        source: its file under `fixtures/`.
        title: what to call it, in a word or two.
        summary: what there is to see in it.
        group: under which heading it stands.
        inputs: tool -> an input, or arguments, to start with; of a tool that is missing, none.
    """

    source: str
    title: str
    summary: str
    group: str
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Its name as a file of the site."""
        return self.source.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where it lies, if it does."""
        packaged = _PACKAGED / self.file
        return packaged if packaged.is_file() else _FIXTURES / self.source

    def described(self) -> dict[str, Any]:
        """For the page."""
        return {
            "file": self.file,
            "title": self.title,
            "summary": self.summary,
            "group": self.group,
            "inputs": dict(self.inputs),
        }


_START = "Start here"
_REAL = "Compiled plugins"
_TROUBLE = "Trouble"

_PEOPLE = "name,born\nGrace,1906\nAda,1815\n"
_JSON = '{"list":[1,2,{"deep":true}],"name":"Ada","born":1815}'
_LINES = "pear\napple\nfig\napple"

_ALL = (
    Bundled(
        "wat/echo.wasm",
        "echo",
        "Answers what it is given",
        _START,
        {"echo": "Hello, WebAssembly!"},
    ),
    Bundled(
        "plugins/zig_text/text.wasm",
        "text, in Zig",
        "Two tools with a form each",
        _START,
        {
            "levenshtein": {"a": "kitten", "b": "sitting"},
            "sort_lines": {"text": _LINES, "unique": True},
        },
    ),
    Bundled(
        "plugins/rust_documents/documents.wasm",
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
        "plugins/starter/shout_rust.wasm",
        "shout, in Rust",
        "Upper-cases a text",
        _REAL,
        {"shout": "hello from Rust"},
    ),
    Bundled(
        "plugins/starter/shout_c.wasm",
        "shout, in C",
        "The same in 395 bytes",
        _REAL,
        {"shout": "hello from C"},
    ),
    Bundled(
        "plugins/c_json/json.wasm",
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
        "plugins/c_csv/csv.wasm",
        "CSV, in C",
        "Tables as JSON, sorted lines",
        _REAL,
        {"csv_to_json": _PEOPLE, "sort_lines": _LINES},
    ),
    Bundled(
        "plugins/c_encode/encode.wasm",
        "encodings, in C",
        "Base64 and SHA-256",
        _REAL,
        {"base64_encode": "Hello!", "base64_decode": "SGVsbG8h", "sha256": "abc"},
    ),
    Bundled(
        "plugins/as_lines/lines.wasm",
        "lines, in AssemblyScript",
        "A language close to TypeScript",
        _REAL,
        {"sort_lines": _LINES, "levenshtein": "kitten\nsitting", "csv_to_json": _PEOPLE},
    ),
    Bundled(
        "wat/stateful.wasm",
        "stateful, by hand",
        "Remembers its earlier calls",
        _REAL,
    ),
    Bundled(
        "wat/trap_division.wasm",
        "divides by zero",
        "A trap, and its backtrace",
        _TROUBLE,
        {"divide": "anything"},
    ),
    Bundled(
        "wat/recurse_forever.wasm",
        "calls itself",
        "Until the stack is used up",
        _TROUBLE,
        {"recurse": "anything"},
    ),
    Bundled(
        "wat/loop_forever.wasm",
        "never ends",
        "Press Stop, or wait for the limit",
        _TROUBLE,
        {"loop": "anything"},
    ),
    Bundled(
        "wat/grow_until_refused.wasm",
        "takes all memory",
        "Grows until it is told to stop",
        _TROUBLE,
    ),
    Bundled(
        "wat/imports_wasi.wasm",
        "wants an import",
        "Asks its host for what is not there",
        _TROUBLE,
    ),
    Bundled(
        "wat/missing_execute.wasm",
        "lacks an export",
        "A module, but no plugin",
        _TROUBLE,
    ),
)


def bundled_plugins() -> tuple[Bundled, ...]:
    """Those that are there."""
    return tuple(bundled for bundled in _ALL if bundled.path.is_file())


def packaged_files() -> dict[str, str]:
    """File under `fixtures/` -> where a wheel keeps its copy, in this package's directory."""
    return {bundled.source: f"plugins/{bundled.file}" for bundled in _ALL}
