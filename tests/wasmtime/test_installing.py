"""`install`: what `import wasmtime` finds, and what package managers find."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import purewasm_plugins
import purewasm_plugins.wasmtime as ours
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.wasmtime.interface import VERSION
from tests.conftest import need


@pytest.fixture(autouse=True)
def not_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No wasmtime is imported yet; what the test changes is undone."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "wasmtime"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "wasmtime"]:
        del sys.modules[name]


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no wasmtime."""
    without = [place for place in sys.path if not Path(place, "wasmtime").is_dir()]
    monkeypatch.setattr(sys, "path", without)


@pytest.mark.usefixtures("not_installed")
def test_where_nothing_is_installed() -> None:
    with pytest.raises(ImportError):
        importlib.import_module("wasmtime")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("wasmtime")
    ours.install()
    assert importlib.import_module("wasmtime") is ours
    distribution = importlib.metadata.distribution("wasmtime")
    assert distribution.version == VERSION
    assert distribution.requires == [f"purewasm-plugins=={purewasm_plugins.__version__}"]
    names = [found.metadata["Name"] for found in importlib.metadata.distributions()]
    assert names.count("wasmtime") == 1


@pytest.mark.usefixtures("not_installed")
def test_a_second_call_changes_nothing() -> None:
    ours.install()
    finders = [*sys.meta_path]
    ours.install()
    ours.install(prefer="pure")
    assert sys.meta_path == finders


@pytest.mark.usefixtures("not_installed")
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("import wasmtime.component", "no components"),
        ("from wasmtime import component", "no components"),
        ("from wasmtime.component import Component", "no components"),
        ("import wasmtime.loader", "no module wasmtime.loader"),
        ("from wasmtime._ffi import wasm_config_t", "no module wasmtime._ffi"),
    ],
)
def test_submodules_are_refused_in_words(statement: str, words: str) -> None:
    ours.install()
    with pytest.raises(ImportError, match=words):
        exec(statement, {})


@pytest.mark.usefixtures("not_installed")
def test_modules_of_wasmtimes_own() -> None:
    """The names are those of the stand-in, whose modules stay as they are."""
    ours.install()
    found: dict[str, object] = {}
    exec("from wasmtime._instance import InstanceExports; from wasmtime._trap import Trap", found)
    instances = importlib.import_module("purewasm_plugins.wasmtime.instances")
    assert (found["InstanceExports"], found["Trap"]) == (instances.InstanceExports, ours.Trap)
    assert instances.__spec__ is not None
    assert instances.__spec__.name == "purewasm_plugins.wasmtime.instances"


def test_each_module_of_wasmtimes_own_is_there() -> None:
    """But those of its native code, and of what hands objects to that."""
    need("wasmtime")
    spec = importlib.util.find_spec("wasmtime")
    assert spec is not None
    theirs = {entry.name for entry in pkgutil.iter_modules(spec.submodule_search_locations)}
    theirs -= {"_bindings", "_ffi", "_exportable", "_extern", "_slab", "component"}
    assert theirs
    ours.install(prefer="pure")
    for name in theirs:
        importlib.import_module(f"wasmtime.{name}")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package named wasmtime, which is found first."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wasmtime").mkdir()
    (tmp_path / "wasmtime" / "__init__.py").write_text("Engine = object\n")
    return tmp_path / "wasmtime"


@pytest.mark.usefixtures("installed")
def test_an_installed_one_is_left_alone() -> None:
    finders = [*sys.meta_path]
    ours.install()
    assert importlib.import_module("wasmtime") is not ours
    assert sys.meta_path == finders


def test_an_installed_one_that_does_not_run_here(installed: Path) -> None:
    (installed / "__init__.py").write_text("from wasmtime import _ffi\n")
    (installed / "_part.py").touch()
    (installed / "_ffi.py").write_text(
        "import wasmtime._part\nraise RuntimeError('unsupported platform')\n"
    )
    ours.install()
    assert importlib.import_module("wasmtime") is ours
    assert "wasmtime._part" not in sys.modules


@pytest.mark.usefixtures("installed")
def test_an_installed_one_is_hidden() -> None:
    ours.install(prefer="pure")
    assert importlib.import_module("wasmtime") is ours
    assert importlib.metadata.version("wasmtime") == VERSION


@pytest.mark.usefixtures("installed")
def test_an_imported_one_cannot_be_hidden() -> None:
    real = importlib.import_module("wasmtime")
    ours.install()
    assert sys.modules["wasmtime"] is real
    with pytest.raises(ImportError, match="is imported already"):
        ours.install(prefer="pure")


@pytest.mark.usefixtures("not_installed")
def test_an_older_version() -> None:
    ours.install(version="47.0.1")
    assert importlib.metadata.version("wasmtime") == "47.0.1"


def test_what_is_no_version() -> None:
    with pytest.raises(InvalidOptionError, match="version"):
        ours.install(version="newest")


def test_a_preference_that_there_is_not() -> None:
    with pytest.raises(InvalidOptionError, match="prefer"):
        ours.install(prefer="fast")  # type: ignore[arg-type]
