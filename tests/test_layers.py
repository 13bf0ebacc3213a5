"""The layers of the package, checked in the source: imports go one way."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import purewasm_plugins
from tests.conftest import ROOT

PACKAGE = ROOT / "purewasm_plugins"

#: The rooms of the package, bottom up: a room imports from itself and from those before it. The
#: root of the package, its public names, is "".
ROOMS = (
    *("support", "errors", "bundled", "wasm", "runtime", "cache", "engine"),
    *("wasi", "capabilities", "module", "command", "wast"),
    *("tools", "plugin", ""),
    *("wasmtime", "mcp", "debugger", "browser", "cli", "__main__"),
)

#: The rooms that a room does not import, though they are before it.
APART = {
    # Tools as an agent sees them do not depend on WebAssembly.
    "tools": {"wasm", "runtime", "cache", "engine", "wasi", "capabilities", "module"}
    | {"command", "wast"},
    # They give host functions what they do, and run nothing.
    "capabilities": {"bundled", "wasm", "cache", "engine", "wasi"},
    # It stands beside the engines: it gives host functions, and runs nothing.
    "wasi": {"bundled", "cache", "engine"},
    # The store of code does not depend on its content.
    "cache": {"wasm", "runtime"},
    # Another interface over the same runtime: plugins are none of it.
    "wasmtime": {"capabilities", "tools", "plugin", "command", "wast", "bundled"},
    "__main__": {*ROOMS} - {"cli"},
}

#: The folders that may import a package of a third party.
THIRD_PARTY = {
    "pywasm": ("engine/reference/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    # Python in Pyodide: the bridge to the page.
    "js": ("browser/",),
    "pyodide": ("browser/",),
}

#: The modules that do I/O, use threads, or have state of the process.
OUTSIDE = {
    *("os", "io", "pathlib", "socket", "threading", "subprocess", "multiprocessing", "asyncio"),
    *("signal", "tempfile", "shutil", "logging", "urllib", "http", "ssl", "select", "ctypes"),
    *("concurrent", "_thread", "queue", "faulthandler", "locale", "random", "inspect"),
}

#: The exceptions. The recursion limit is state of the process: setting it takes a lock, which a
#: forked process renews, and a record of the calls of each thread.
NEEDED = {
    ("engine/translator/stack.py", "_thread"),
    ("engine/translator/stack.py", "os"),
}


class Imported(NamedTuple):
    """One import: the importing file, the imported module, and the line."""

    path: Path
    name: str
    line: int
    for_types_only: bool

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.name}"

    @property
    def layer(self) -> str:
        first = self.path.relative_to(PACKAGE).parts[0]
        return first.removesuffix(".py").replace("__init__", "")

    @property
    def ours(self) -> bool:
        return self.name.partition(".")[0] == "purewasm_plugins"

    @property
    def target(self) -> str:
        """The layer of an import of ours."""
        return [*self.name.split("."), ""][1]


@functools.cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def imports() -> tuple[Imported, ...]:
    names = {module_name(path) for path in trees()}
    return tuple(one for path, tree in trees().items() for one in _imports_of(path, tree, names))


def _imports_of(path: Path, tree: ast.Module, modules: set[str]) -> Iterator[Imported]:
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            found = [
                inner if (inner := f"{node.module}.{alias.name}") in modules else node.module
                for alias in node.names
            ]
        else:
            continue
        for name in dict.fromkeys(found):
            yield Imported(path, name, node.lineno, id(node) in for_types)


def test_the_reader_finds_imports() -> None:
    """The tests below would pass on nothing."""
    found = {(one.layer, one.target) for one in imports() if one.ours}
    assert {("plugin", "engine"), ("engine", "wasm"), ("engine", "errors"), ("", "plugin")} <= found
    assert any(one.name == "pywasm" for one in imports())
    assert any(one.name == "collections.abc" for one in imports())


def may_import(room: str, other: str) -> bool:
    return other in ROOMS[: ROOMS.index(room)] and other not in APART.get(room, ())


def test_every_room_has_a_place() -> None:
    found = {
        path.name.removesuffix(".py").replace("__init__", "")
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found == {*ROOMS}


def test_rooms() -> None:
    wrong = [
        one.where
        for one in imports()
        if one.ours and one.target != one.layer and not may_import(one.layer, one.target)
    ]
    assert not wrong


def test_no_cycles() -> None:
    """Of modules, imports inside functions included."""
    graph: dict[str, set[str]] = {module_name(path): set() for path in trees()}
    for one in imports():
        if one.ours:
            graph[module_name(one.path)].add(one.name)
    list(graphlib.TopologicalSorter(graph).static_order())


def test_what_of_ours_is_imported_for_types_only() -> None:
    """Only what most programs do not use. `test_no_cycles` sees these imports, too."""
    found = [one for one in imports() if one.for_types_only and one.ours]
    later = {f"purewasm_plugins.{module}" for module in purewasm_plugins._LATER.values()}
    assert {one.name for one in found if not one.layer} == later
    assert {one.name for one in found if one.layer} == {
        "purewasm_plugins.capabilities.http",
        "purewasm_plugins.capabilities.key_value",
        "purewasm_plugins.plugin.watching",
        "purewasm_plugins.wasi.grants",
    }


def test_engines_know_nothing_of_each_other() -> None:
    engines = {
        "reference": PACKAGE / "engine" / "reference",
        "translator": PACKAGE / "engine" / "translator",
    }
    wrong = [
        one.where
        for one in imports()
        for engine, path in engines.items()
        for other in engines.keys() - {engine}
        if one.path.is_relative_to(path) and one.name.startswith(f"purewasm_plugins.engine.{other}")
    ]
    assert not wrong


#: The rooms that `import purewasm_plugins` loads.
LOADED_FIRST = ("__init__.py", "engine", "runtime", "plugin", "wasm")


def test_engines_are_imported_only_when_asked_for() -> None:
    """`import purewasm_plugins` must not pay for them: their only import is inside a function."""
    at_the_top = [
        f"{path}: {ast.unparse(node)}"
        for path, tree in trees().items()
        if path.relative_to(PACKAGE).parts[0] in LOADED_FIRST
        and not {"translator", "reference"} & {*path.parts}
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and node.module is not None
        and node.module.startswith(
            ("purewasm_plugins.engine.reference", "purewasm_plugins.engine.translator")
        )
    ]
    assert not at_the_top


def test_third_parties() -> None:
    known = {*sys.stdlib_module_names, "purewasm_plugins", "__future__"}
    wrong = []
    for one in imports():
        top = one.name.partition(".")[0]
        path = one.path.relative_to(PACKAGE).as_posix()
        if top not in known and not path.startswith(THIRD_PARTY.get(top, ())):
            wrong.append(one.where)
    assert not wrong


@pytest.mark.parametrize("layer", ["errors", "wasm", "runtime", "engine"])
def test_no_io_and_no_threads(layer: str) -> None:
    wrong = [
        one.where
        for one in imports()
        if one.layer == layer
        and one.name.partition(".")[0] in OUTSIDE
        and (one.path.relative_to(PACKAGE).as_posix(), one.name) not in NEEDED
    ]
    calls = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in trees().items()
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") == layer
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("open", "print", "input")
    ]
    assert not wrong + calls


def test_no_assertions() -> None:
    """`python -O` drops them."""
    assert not [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]


def test_no_bare_except() -> None:
    """It would swallow KeyboardInterrupt, and what carries a host function's exception."""
    assert not [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]


#: Attributes with an underscore that are no class's secret: the documented names of named tuples,
#: and of Python's own modules.
DOCUMENTED = {"_replace", "_asdict", "_make", "_fields", "_getframe", "_exit", "_Pointer"}


def _defined(tree: ast.Module) -> Iterator[str]:
    """Yield the names of attributes and methods that the classes of a module define."""
    for definition in ast.walk(tree):
        if not isinstance(definition, ast.ClassDef):
            continue
        for node in ast.walk(definition):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if ast.unparse(node.value) in ("self", "cls"):
                    yield node.attr
            elif isinstance(node, ast.AnnAssign):
                yield ast.unparse(node.target)
            elif isinstance(node, ast.Assign):
                yield from map(ast.unparse, node.targets)


def private_accesses(tree: ast.Module) -> list[ast.Attribute]:
    """Find the uses of attributes that are private to a class of another module."""
    defined = {*_defined(tree)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls", "super()")
        and node.attr not in defined | DOCUMENTED
    ]


def test_no_class_uses_the_private_attributes_of_another() -> None:
    """Classes of one module may: they are one thing in several classes."""
    assert not [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in trees().items()
        for node in private_accesses(tree)
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("other._field = 1", ["other._field"]),
        ("print(self.part._field)", ["self.part._field"]),
        ("class A:\n def f(self): self._field = 1; self._other(); super()._other()", []),
        ("class A:\n def f(self, other): self._field = 1; return other._field", []),
        ("class A:\n def f(self, other): return other._field", ["other._field"]),
        ("class A:\n _field: int\ndef f(a): a._field = 1; a.__dict__", []),
    ],
)
def test_the_reader_finds_private_accesses(source: str, found: list[str]) -> None:
    assert [ast.unparse(node) for node in private_accesses(ast.parse(source))] == found


def test_every_module_says_what_it_is() -> None:
    assert not [path for path, tree in trees().items() if not ast.get_docstring(tree)]


def test_the_public_names_are_those_of_all() -> None:
    import purewasm_plugins

    assert sorted(purewasm_plugins.__all__) == purewasm_plugins.__all__
    assert all(hasattr(purewasm_plugins, name) for name in purewasm_plugins.__all__)
    required = {
        *("WasmPlugin", "WasmPluginManager", "PluginTool", "ToolRegistry", "ToolDefinition"),
        *("ToolCall", "ToolResult", "ToolCategory", "ToolImpl", "instantiate", "Instance"),
        *("Function", "Memory", "Table", "Global", "ResourceLimits", "WasmError", "DecodeError"),
        *("ValidationError", "LinkError", "Trap", "TrapReason", "OutOfFuel", "DeadlineExceeded"),
        *("Cancelled", "PluginError", "CompileError", "InstantiateError", "MissingExportError"),
        *("WrongExportTypeError", "VersionMismatchError", "ToolExecutionError", "ToolError"),
        *("ToolNotFoundError", "InvalidArgumentsError", "DuplicateToolError"),
    }
    assert required <= {*purewasm_plugins.__all__}


def test_the_top_level_of_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the files of the repository are unknown")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    top = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert {name for name in top if not name.startswith(".")} == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "purewasm_plugins",
        "tests",
        "fixtures",
        "benchmarks",
    }
