"""The fixtures are built from the text beside them, and all of them are described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wasmtime

from purewasm_plugins.wasm import load
from tests.conftest import ROOT

FIXTURES = ROOT / "fixtures"
README = (FIXTURES / "README.md").read_text("utf-8")

WATS = sorted(FIXTURES.rglob("*.wat"))
WASMS = sorted(FIXTURES.rglob("*.wasm"))
PLUGINS = sorted((FIXTURES / "plugins").rglob("*.wasm"))
PROGRAMS = sorted((FIXTURES / "programs").glob("*.wasm"))


def name_of(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


def test_there_are_fixtures() -> None:
    assert len(WATS) > 50
    assert len(PLUGINS) > 8
    assert len(PROGRAMS) > 8


@pytest.mark.parametrize("path", WATS, ids=name_of)
def test_a_text_is_assembled_to_the_module_beside_it(path: Path) -> None:
    assembled = bytes(wasmtime.wat2wasm(path.read_text("utf-8")))
    assert path.with_suffix(".wasm").read_bytes() == assembled


@pytest.mark.parametrize("path", WATS, ids=name_of)
def test_a_text_says_what_a_host_must_do_with_it(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    head = " ".join(line.removeprefix(";;").strip() for line in lines if line.startswith(";;"))
    assert head.startswith(f"{path.stem}: ")
    assert "A host" in head
    assert f"| `{path.stem}` |" in README


@pytest.mark.parametrize("path", WASMS, ids=name_of)
def test_only_one_module_is_not_valid(path: Path) -> None:
    """Wasmtime accepts them; `huge_table` exceeds a limit of this package, and is valid."""
    engine = wasmtime.Engine()
    if path.stem == "invalid":
        with pytest.raises(wasmtime.WasmtimeError):
            wasmtime.Module(engine, path.read_bytes())
    else:
        wasmtime.Module(engine, path.read_bytes())
        if path.stem != "huge_table":
            load(path.read_bytes())


@pytest.mark.parametrize("path", PLUGINS + PROGRAMS, ids=name_of)
def test_what_a_compiler_made_is_described(path: Path) -> None:
    """Its row gives its size, and a source that lies beside it."""
    _, _, name = name_of(path).partition("/")
    row = re.search(rf"^\| `{re.escape(name)}` \| ([\d,]+) \| `([^`]+)` \|", README, re.MULTILINE)
    assert row is not None, f"fixtures/README.md has no row for {name}"
    assert int(row[1].replace(",", "")) == path.stat().st_size
    assert (path.parent / row[2]).is_file()


@pytest.mark.parametrize("path", PLUGINS, ids=name_of)
def test_what_a_plugin_imports(path: Path) -> None:
    """Nothing, but for those that show how to import functions of strings, or use WASI."""
    imports = {f"{entry.module}.{entry.name}" for entry in load(path.read_bytes()).module.imports}
    match path.parent.name, path.stem:
        case "host_functions", _:
            assert imports == {"env.log", "env.lookup"}
        case "capabilities", _:
            functions = ("config_get", "http_request", "kv_get", "kv_set")
            assert imports == {f"purewasm.{name}" for name in functions}
        case "wasi_starter", "shout_assemblyscript":
            assert imports == {"env.abort", "env.console.log"}
        case "wasi_starter", _:
            assert "wasi_snapshot_preview1.fd_write" in imports
        case _:
            assert not imports


def test_nothing_is_described_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `([\w/]+\.wasm)` \|", README, re.MULTILINE))
    assert named == {name_of(path).partition("/")[2] for path in PLUGINS + PROGRAMS}
    _, _, section = README.partition("\n## `wat/`")
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {p.stem for p in WATS}


@pytest.mark.parametrize("path", PLUGINS + PROGRAMS, ids=name_of)
def test_a_script_builds_it(path: Path) -> None:
    folder, _, name = name_of(path).partition("/")
    assert f"\nbuild {name} " in (FIXTURES / folder / "build.sh").read_text("utf-8")
