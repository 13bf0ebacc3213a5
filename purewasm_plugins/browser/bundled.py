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

_TABLE = '[\n  {"name": "Ada", "born": 1815},\n  {"born": 1906, "name": "Grace"}\n]'

_ALL = (
    Bundled(
        "wat/echo.wasm",
        "echo",
        "Answers what it is given",
        _START,
        {"echo": "Hello, WebAssembly!"},
    ),
    Bundled(
        "wat/with_schema.wasm",
        "with_schema",
        "Two tools with a form each",
        _START,
        {"search": {"query": "pyodide", "limit": 3}, "resize": {"width": 640, "height": 480}},
    ),
    Bundled(
        "wat/stateful.wasm",
        "stateful",
        "Remembers something from call to call",
        _START,
    ),
    Bundled(
        "plugins/starter/shout_rust.wasm",
        "shout, in Rust",
        "Upper-cases a text",
        _REAL,
        {"shout": "straße, naïve, ça va"},
    ),
    Bundled(
        "plugins/starter/shout_c.wasm",
        "shout, in C",
        "The same in 395 bytes",
        _REAL,
        {"shout": "hello from C"},
    ),
    Bundled(
        "plugins/starter/shout_zig.wasm",
        "shout, in Zig",
        "The same, from Zig",
        _REAL,
        {"shout": "hello from Zig"},
    ),
    Bundled(
        "plugins/starter/shout_assemblyscript.wasm",
        "shout, in AssemblyScript",
        "The same, from a kind of TypeScript",
        _REAL,
        {"shout": "hello from AssemblyScript"},
    ),
    Bundled(
        "plugins/c_json/json.wasm",
        "JSON, in C",
        "Checks JSON and lays it out",
        _REAL,
        {
            "json_pretty": '{"list":[1,2,{"deep":true}],"text":"é"}',
            "json_compact": _TABLE,
            "json_sort_keys": _TABLE,
            "json_summary": _TABLE,
        },
    ),
    Bundled(
        "plugins/c_csv/csv.wasm",
        "CSV, in C",
        "Tables, read and sorted",
        _REAL,
    ),
    Bundled(
        "plugins/c_encode/encode.wasm",
        "Encodings, in C",
        "Base64, checksums and the like",
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
