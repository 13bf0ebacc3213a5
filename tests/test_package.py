"""The installed package: the cost of its import, its wheel, its dependencies."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.browser.texts import TEXTS
from purewasm_plugins.bundled import EXAMPLES
from purewasm_plugins.wasmtime.wheel import write_wheel
from tests.conftest import ROOT, need

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: The modules that `import purewasm_plugins` must not load: costly, optional or native ones.
NOT_IMPORTED = ["pywasm", "click", "rich", "numpy", "wasmtime"]

IMPORT = """
import json, sys
before = {*sys.modules}
import purewasm_plugins
loaded = {name: getattr(sys.modules[name], "__file__", None) for name in {*sys.modules} - before}
print(json.dumps(loaded))
"""


def run_python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_importing_brings_along() -> None:
    loaded: dict[str, str | None] = json.loads(run_python("-c", IMPORT))
    assert "purewasm_plugins.plugin.plugin" in loaded
    tops = {name.partition(".")[0] for name in loaded}
    assert tops <= {*sys.stdlib_module_names, "purewasm_plugins"}
    assert not tops & {*NOT_IMPORTED}
    assert not [name for name in loaded if name.startswith("purewasm_plugins.wasmtime")]
    native = [
        name
        for name, file in loaded.items()
        if file and not file.endswith((".py", ".pyc")) and "lib-dynload" not in file
    ]
    assert not native


def test_an_answer_imports_nothing_slow() -> None:
    """Each of these takes as long as a tenth of the package, or more."""
    code = """if True:
        import sys
        sys.path.insert(0, ".")
        from purewasm_plugins import WasmPlugin
        plugin = WasmPlugin.load("fixtures/wat/echo.wasm")
        assert plugin.execute_tool(0, "x") == "x"
        print(*sys.modules)
    """
    loaded = {*run_python("-I", "-S", "-c", code).split()}
    slow = {"typing", "re", "contextlib", "enum", "functools", "collections", "array", "operator"}
    slow |= {"threading", "dataclasses", "inspect", "json", "warnings", "pathlib", "hashlib"}
    assert not loaded & slow


def test_importing_brings_no_engine() -> None:
    loaded = json.loads(run_python("-c", IMPORT))
    engines = (
        "purewasm_plugins.engine.reference.engine",
        "purewasm_plugins.engine.translator",
    )
    assert not [name for name in loaded if name.startswith(engines)]


def test_a_plugin_runs_without_anything_native() -> None:
    """From the import to an answer, no extension module but Python's own is loaded."""
    code = """
import json, sys
from purewasm_plugins import ToolCall, ToolRegistry, WasmPlugin
registry = ToolRegistry()
WasmPlugin.load("fixtures/wat/with_schema.wasm").register_into_registry(registry)
assert registry.execute(ToolCall("search", {"query": "x"})).output == '{"query":"x"}'
print(json.dumps({n: getattr(m, "__file__", None) or "" for n, m in list(sys.modules.items())}))
"""
    loaded: dict[str, str] = json.loads(run_python("-c", code))
    suffixes = (".so", ".pyd", ".dylib")
    native = {name for name, file in loaded.items() if file.endswith(suffixes)}
    assert {name.partition(".")[0] for name in native} <= {*sys.stdlib_module_names}
    assert not {"numpy", "wasmtime", "click", "rich"} & loaded.keys()


def test_the_version_is_in_one_place() -> None:
    import purewasm_plugins

    assert "version" in PROJECT["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", purewasm_plugins.__version__)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source distribution, from a copy: nothing is left in the checkout."""
    need("build", "hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    unwanted = shutil.ignore_patterns("__pycache__", "node_modules", "build")
    for name in ("purewasm_plugins", "tests", "fixtures"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source],
        capture_output=True,
        timeout=300,
        check=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel(wheel: Path) -> None:
    assert re.fullmatch(r"purewasm_plugins-\d+\.\d+\.\d+-py3-none-any\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        about = archive.read(f"{info}/WHEEL").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert "Root-Is-Purelib: true" in about
    assert "Tag: py3-none-any" in about
    assert {name.partition("/")[0] for name in names} == {"purewasm_plugins", info}
    assert {
        "purewasm_plugins/py.typed",
        "purewasm_plugins/RATIONALE.md",
        "purewasm_plugins/engine/translator/TRANSLATION.md",
        "purewasm_plugins/plugin/ABI.md",
        "purewasm_plugins/__main__.py",
        f"{info}/licenses/LICENSE",
    } <= names
    page = ROOT / "purewasm_plugins/browser/page"
    assert {f"purewasm_plugins/browser/page/{path.name}" for path in page.iterdir()} <= names
    copied = {name for name in names if name.endswith(".wasm")}
    assert copied == {f"purewasm_plugins/bundled/{entry.name}.wasm" for entry in EXAMPLES}
    for entry in EXAMPLES:
        with zipfile.ZipFile(wheel) as archive:
            copy = archive.read(f"purewasm_plugins/bundled/{entry.name}.wasm")
        assert copy == (ROOT / f"fixtures/{entry.source}.wasm").read_bytes()
    texts = {name for name in names if name.endswith(".wat")}
    assert texts == {f"purewasm_plugins/bundled/{text.name}.wat" for text in TEXTS}
    assert not [name for name in names if name.endswith((".webp", ".png"))]
    # Screenshots were a third of it once.
    assert wheel.stat().st_size < 1_150_000
    sources = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "purewasm_plugins").rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources
    assert not [name for name in names if "test" in name.lower() or name.endswith((".so", ".pyc"))]
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "License-Expression: MIT" in metadata
    assert "purewasm = purewasm_plugins.cli:main" in scripts


def test_the_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    """Unpacked anywhere, in an empty directory; the README's examples run, too."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = f"""
import sys
sys.path[:] = [{str(tmp_path / "site")!r}] + [p for p in sys.path if p and "finder" not in p]
import purewasm_plugins
assert purewasm_plugins.__file__.startswith({str(tmp_path)!r}), purewasm_plugins.__file__
path = purewasm_plugins.example("echo")
assert str(path).startswith({str(tmp_path)!r}), path
plugin = purewasm_plugins.WasmPlugin.load(path)
import doctest
readme = doctest.testfile({str(ROOT / "README.md")!r}, module_relative=False)
assert readme.attempted and not readme.failed
print(plugin.execute_tool("echo", "from the wheel"))
"""
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "empty",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "from the wheel\n", done.stderr


def test_the_stand_in_works_from_its_wheel(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside the wheel of the package, and nothing else."""
    for path in (wheel, write_wheel(tmp_path)):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "site")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
import wasmtime
from importlib.metadata import requires, version
assert requires("wasmtime") == ["purewasm-plugins==" + version("purewasm-plugins")]
store = wasmtime.Store()
text = '(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))'
instance = wasmtime.Instance(store, wasmtime.Module(store.engine, text), [])
print(instance.exports(store)["add"](store, 40, 2), wasmtime.__file__, wasmtime.Store.__module__)
"""
    answer, *places = run_python("-I", "-S", "-c", code).split()
    assert answer == "42"
    assert places == [
        str(tmp_path / "site/wasmtime/__init__.py"),
        "purewasm_plugins.wasmtime.store",
    ]


def runtime_distributions() -> list[str]:
    """The distributions that installing the package brings along, extras aside."""
    wanted = [re.split(r"[<>=!~ \[;]", entry)[0] for entry in PROJECT["dependencies"]]
    found: list[str] = []
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found.append(name)
        for entry in importlib.metadata.requires(name) or []:
            if "extra ==" not in entry:
                wanted.append(re.split(r"[<>=!~ \[;(]", entry)[0])
    return found


def test_runtime_dependencies() -> None:
    assert sorted(runtime_distributions()) == ["pywasm"]
    assert [entry for entry in PROJECT["dependencies"] if entry.startswith("pywasm==2.")]


@pytest.mark.parametrize("name", runtime_distributions())
def test_runtime_dependencies_are_pure(name: str) -> None:
    distribution = importlib.metadata.distribution(name)
    about = distribution.read_text("WHEEL") or ""
    tags = re.findall(r"^Tag: (.+)$", about, re.MULTILINE)
    assert tags
    assert all(tag.endswith("-none-any") for tag in tags)
    assert "Root-Is-Purelib: true" in about
    files = distribution.files or []
    assert files
    assert not [file for file in files if file.suffix in (".so", ".pyd", ".dylib", ".dll")]


def test_extras() -> None:
    extras = PROJECT["optional-dependencies"]
    names = {
        extra: {re.split(r"[<>=!~ ;]", entry)[0] for entry in entries}
        for extra, entries in extras.items()
    }
    assert names["cli"] == {"click", "rich"}
    assert {"pytest", "hypothesis", "mypy", "ruff", "wasmtime", "build"} <= names["test"]
    assert "purewasm-plugins[cli]" in names["test"]
    assert PROJECT["requires-python"] == ">=3.11"
