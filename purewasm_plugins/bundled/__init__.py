"""The example plugins that come with the package, by name.

They are fixtures of the repository. A wheel holds a copy of each in this folder; in a checkout they
are under `fixtures/`. `pyproject.toml` says which file gets which name, and a test compares.
"""

from __future__ import annotations

from pathlib import Path

from purewasm_plugins.errors import PluginError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.suggestions import similar_name


class Example(Record):
    """An example plugin.

    Attributes:
        name: what `example` and the command take.
        source: its file under `fixtures/` in the repository, without `.wasm`.
        summary: what it is, in a few words.
        tools: the names of its tools; none for a program, and for a module that is meant to be
            refused.
    """

    name: str
    source: str
    summary: str
    tools: tuple[str, ...] = ()


#: Every example, in the order in which they are listed.
EXAMPLES: tuple[Example, ...] = (
    Example("echo", "wat/echo", "answers its input; written by hand", ("echo",)),
    Example(
        "c_json",
        "plugins/c_json/json",
        "checks JSON and lays it out; C",
        ("json_pretty", "json_compact", "json_sort_keys", "json_summary"),
    ),
    Example(
        "zig_text",
        "plugins/zig_text/text",
        "arguments with a schema; Zig",
        ("levenshtein", "sort_lines"),
    ),
    Example(
        "rust_documents",
        "plugins/rust_documents/documents",
        "Markdown, tables, words; Rust",
        ("markdown_to_html", "csv_to_json", "sort_lines", "count_words"),
    ),
    Example("c_csv", "plugins/c_csv/csv", "tables and lines; C", ("csv_to_json", "sort_lines")),
    Example(
        "c_encode",
        "plugins/c_encode/encode",
        "base64 and SHA-256; C alone",
        ("base64_encode", "base64_decode", "sha256"),
    ),
    Example(
        "as_lines",
        "plugins/as_lines/lines",
        "lines and tables; AssemblyScript",
        ("sort_lines", "levenshtein", "csv_to_json"),
    ),
    Example("shout_c", "plugins/starter/shout_c", "a first plugin in C", ("shout",)),
    Example("shout_rust", "plugins/starter/shout_rust", "a first plugin in Rust", ("shout",)),
    Example("shout_zig", "plugins/starter/shout_zig", "a first plugin in Zig", ("shout",)),
    Example(
        "shout_assemblyscript",
        "plugins/starter/shout_assemblyscript",
        "a first plugin in AssemblyScript",
        ("shout",),
    ),
    Example("count_c", "programs/count_c", "a program: counts lines and words; C"),
    Example("stateful", "wat/stateful", "counts its calls; written by hand", ("count",)),
    Example("buggy_shout", "wat/buggy_shout", "answers PIzzA to pizza: debug it", ("shout",)),
    Example("trap_division", "wat/trap_division", "divides by zero", ("divide",)),
    Example("recurse_forever", "wat/recurse_forever", "calls itself without end", ("recurse",)),
    Example("loop_forever", "wat/loop_forever", "never returns", ("loop",)),
    Example(
        "grow_until_refused", "wat/grow_until_refused", "takes all memory that it gets", ("grow",)
    ),
    Example("imports_host", "wat/imports_host", "needs an import: env.log", ("greet",)),
    Example(
        "capitals_c",
        "plugins/host_functions/capitals_c",
        "needs functions of strings; C",
        ("capital",),
    ),
    Example("imports_wasi", "wat/imports_wasi", "needs WASI: a function of it", ("echo",)),
    Example("missing_execute", "wat/missing_execute", "lacks an export of the ABI"),
)

_HERE = Path(__file__).parent
_FIXTURES = _HERE.parents[1] / "fixtures"


def examples() -> tuple[str, ...]:
    """Return the names of the example plugins."""
    return tuple(entry.name for entry in EXAMPLES)


def example(name: str) -> Path:
    """Return the path of an example plugin.

    Where the package lies in a ZIP archive (a zipapp), the file is unpacked into a temporary one
    that is deleted when the process ends.

    Args:
        name: one of `examples()`.

    Raises:
        PluginError: no example has that name, or this copy of the package is without its file.

    >>> from purewasm_plugins import WasmPlugin, example
    >>> WasmPlugin.load(example("c_json"))
    <WasmPlugin c_json 1.0.0: 4 tools>
    """
    entry = next((entry for entry in EXAMPLES if entry.name == name), None)
    if entry is None:
        known = examples()
        similar = similar_name(name, known)
        hint = f"did you mean '{similar}'?" if similar else f"there are: {', '.join(known)}"
        raise PluginError(f"there is no example plugin '{name}'; {hint}")
    for path in (_HERE / f"{name}.wasm", _FIXTURES / f"{entry.source}.wasm"):
        if path.is_file():
            return path
    return _unpacked(f"{name}.wasm")


def has_example(name: str) -> bool:
    """Return whether this copy of the package has the file of an example plugin."""
    try:
        example(name)
    except PluginError:
        return False
    return True


#: File in the archive -> the temporary file that it was unpacked into.
_UNPACKED: dict[str, Path] = {}


def _unpacked(file: str) -> Path:
    """Return the path of a temporary copy of a file of this folder.

    Raises:
        PluginError: there is no such file, or no room for a copy.
    """
    # Imported here: only a package inside an archive needs them.
    import atexit
    from contextlib import ExitStack
    from importlib.resources import as_file, files

    if file not in _UNPACKED:
        kept = ExitStack()
        try:
            path = kept.enter_context(as_file(files(__package__) / file))
        except OSError as error:
            message = f"this copy of the package is without its example plugins: no file {file}"
            raise PluginError(message) from error
        atexit.register(kept.close)
        _UNPACKED[file] = path
    return _UNPACKED[file]
