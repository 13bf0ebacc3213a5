"""The tests of the host that this design descends from, under their own names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import MissingExportError, VersionMismatchError, WasmPlugin, WasmPluginManager

Load = Callable[..., WasmPlugin]
FixtureData = Callable[[str], bytes]


def test_plugin_load(load: Load) -> None:
    plugin = load("hello")
    assert plugin.name == "hello"
    assert plugin.version == "1.0.0"
    assert plugin.description


def test_plugin_tools(load: Load) -> None:
    plugin = load("hello")
    (tool,) = plugin.tools
    assert (tool.name, tool.index, tool.schema) == ("greet", 0, None)
    assert tool.description


def test_plugin_execute_hello(load: Load) -> None:
    assert load("hello").execute_tool(0, "") == "Hello, World!"


def test_plugin_execute_echo(load: Load) -> None:
    assert load("echo").execute_tool(0, "Hello, echo!") == "Hello, echo!"


def test_plugin_manager(engine: str, fixture_data: FixtureData) -> None:
    manager = WasmPluginManager(engine=engine)
    plugin = manager.load_from_bytes(fixture_data("hello"))
    assert len(manager) == 1
    assert manager.get("hello") is plugin
    assert "hello" in manager
    assert list(manager) == [plugin]


def test_plugin_manager_execute(engine: str, fixture_data: FixtureData) -> None:
    manager = WasmPluginManager(engine=engine)
    manager.load_from_bytes(fixture_data("echo"))
    assert manager.execute_tool("echo", 0, "through the manager") == "through the manager"
    assert manager.execute_tool("echo", "echo", "by name") == "by name"


def test_plugin_unload(engine: str, fixture_data: FixtureData) -> None:
    manager = WasmPluginManager(engine=engine)
    manager.load_from_bytes(fixture_data("hello"))
    assert manager.unload("hello") is True
    assert len(manager) == 0
    assert manager.get("hello") is None
    assert "hello" not in manager


def test_plugin_unload_nonexistent(engine: str) -> None:
    assert WasmPluginManager(engine=engine).unload("nonexistent") is False


def test_plugin_version_mismatch(load: Load) -> None:
    with pytest.raises(VersionMismatchError) as raised:
        load("empty_version")
    assert raised.value.version == ""


def test_plugin_missing_export(load: Load) -> None:
    with pytest.raises(MissingExportError) as raised:
        load("no_exports")
    assert raised.value.export == "plugin_name"
    assert str(raised.value) == "Missing required export 'plugin_name' in plugin"


def test_plugin_default_manager(fixture_data: FixtureData, tmp_path: Path) -> None:
    manager = WasmPluginManager()
    assert len(manager) == 0
    assert list(manager) == []
    (tmp_path / "hello.wasm").write_bytes(fixture_data("hello"))
    assert manager.load(tmp_path / "hello.wasm").execute_tool("greet", "") == "Hello, World!"
