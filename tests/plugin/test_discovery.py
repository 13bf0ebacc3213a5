"""Plugins that are found: entry points of packages, and the user's folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import DuplicatePluginError, PluginFileError, WasmPluginManager
from purewasm_plugins.plugin.discovery import find_plugins, plugins_folder

FixtureData = Callable[[str], bytes]
Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of plugins, which is not there yet; no entry point is restricted."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("os.name", "posix")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PUREWASM_PLUGINS", raising=False)
    return tmp_path / "config" / "purewasm" / "plugins"


@pytest.fixture
def install(tmp_path: Path, fixture_data: FixtureData, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install(name, entry_points)`: a package whose import would fail, with a plugin in it."""

    def install(name: str, entry_points: str, *, plugin: str = "echo", apart: bool = False) -> Path:
        site = tmp_path / f"site_{name}"
        package = (tmp_path / f"source_{name}" if apart else site) / name
        (package / "inner" / "wasm").mkdir(parents=True)
        for folder in (package, package / "inner"):
            (folder / "__init__.py").write_text("raise RuntimeError('the package is imported')\n")
        (package / "inner" / f"{plugin}.wasm").write_bytes(fixture_data(plugin))
        (package / "inner" / "wasm" / f"{plugin}.wasm").write_bytes(fixture_data(plugin))
        information = site / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (information / "entry_points.txt").write_text(entry_points)
        for path in {site, package.parent}:
            monkeypatch.syspath_prepend(path)
        return package / "inner"

    return install


@pytest.mark.parametrize(
    ("value", "file"),
    [
        ("one.inner:echo.wasm", "echo.wasm"),
        (" one.inner : echo.wasm ", "echo.wasm"),
        ("one:inner/echo.wasm", "echo.wasm"),
        ("one.inner:wasm/echo.wasm", "wasm/echo.wasm"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_an_entry_point_names_a_file(install: Install, value: str, file: str, apart: bool) -> None:
    """`apart`: as an editable installation has it."""
    folder = install("one", f"[purewasm.plugins]\nmine = {value}\n", apart=apart)
    (found,) = find_plugins()
    assert (found.name, found.path, found.error) == ("mine", folder / file, None)
    report = WasmPluginManager().discover()
    assert [plugin.name for plugin in report.loaded] == ["echo"]
    assert report.failed == ()
    assert not {"one", "one.inner"} & {*sys.modules}


@pytest.mark.parametrize(
    "value",
    [
        *("one.inner", "one.inner:", ":echo.wasm", "one.inner:echo.wat", "one inner:echo.wasm"),
        *("one.inner:../inner/echo.wasm", "one.inner:/echo.wasm", "one.inner:c:\\echo.wasm"),
        *("one.inner:./echo.wasm", "one..inner:echo.wasm", "one.inner:echo\0.wasm"),
    ],
)
def test_an_entry_point_with_another_value(install: Install, value: str) -> None:
    install("one", f"[purewasm.plugins]\nmine = {value}\n")
    (found,) = find_plugins()
    assert found.path is None
    assert "its value must be PACKAGE:FILE.wasm" in str(found.error)


@pytest.mark.parametrize(
    "value",
    [
        *("one.inner:other.wasm", "gone:echo.wasm", "one:echo.wasm"),
        f"one.inner:{'x' * 300}.wasm",
        f"{'x' * 300}:echo.wasm",
    ],
)
def test_an_entry_point_without_its_file(install: Install, value: str) -> None:
    install("one", f"[purewasm.plugins]\nmine = {value}\n")
    report = WasmPluginManager().discover()
    ((origin, error),) = report.failed
    assert origin == "the entry point 'mine' of the package 'one'"
    assert isinstance(error, PluginFileError)
    assert "has no file" in str(error)


def test_metadata_that_cannot_be_read(install: Install) -> None:
    """It hides no other package's plugins."""
    install("broken", "[purewasm.plugins]\nno equals sign\n")
    install("one", "[purewasm.plugins]\nmine = one.inner:echo.wasm\n[other]\na = one:b\n")
    assert [found.name for found in find_plugins()] == ["mine"]


def test_packages_without_a_name(install: Install) -> None:
    for name in ("broken", "one"):
        folder = install(name, f"[purewasm.plugins]\nmine = {name}.inner:echo.wasm\n").parents[1]
        if name == "broken":
            (folder / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\n")
    assert [found.name for found in find_plugins()] == ["mine", "mine"]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("", []),
        (" , ", []),
        ("a", ["a"]),
        (" b,a ,", ["a", "b"]),
    ],
)
def test_the_entry_points_are_restricted(
    install: Install, monkeypatch: pytest.MonkeyPatch, chosen: str, names: list[str]
) -> None:
    install("one", "[purewasm.plugins]\nb = one.inner:echo.wasm\na = one.inner:echo.wasm\n")
    monkeypatch.setenv("PUREWASM_PLUGINS", chosen)
    assert [found.name for found in find_plugins()] == names


def test_a_restriction_to_what_is_not_there(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("one", "[purewasm.plugins]\njson = one.inner:echo.wasm\n")
    monkeypatch.setenv("PUREWASM_PLUGINS", "jsno")
    ((origin, error),) = WasmPluginManager().discover().failed
    assert origin == "the variable PUREWASM_PLUGINS"
    assert "did you mean 'json'?" in str(error)


def test_the_folder_comes_first(
    install: Install, own_folder: Path, fixture_data: FixtureData, tmp_path: Path
) -> None:
    install("one", "[purewasm.plugins]\nmine = one.inner:echo.wasm\n")
    own_folder.mkdir(parents=True)
    assert plugins_folder() == own_folder
    for name in ("hello", "echo", "invalid"):
        (own_folder / f"{name}.wasm").write_bytes(fixture_data(name))
    manager = WasmPluginManager()
    report = manager.discover()
    assert [plugin.name for plugin in report.loaded] == ["echo", "hello"]
    assert [origin for origin, _ in report.failed] == [
        f"the file '{own_folder / 'invalid.wasm'}'",
        "the entry point 'mine' of the package 'one'",
    ]
    assert isinstance(report.failed[1][1], DuplicatePluginError)
    assert manager.folders == (str(own_folder),)
    other = tmp_path / "other"
    other.mkdir()
    assert [found.name for found in find_plugins(other)] == ["mine"]


def test_a_folder_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert find_plugins() == []
    with pytest.raises(PluginFileError, match="Failed to read plugin directory"):
        WasmPluginManager().discover(tmp_path / "gone")
