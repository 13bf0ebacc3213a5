"""Many plugins by name: loading, unloading, directories, and the state after a failure."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import (
    CompileError,
    DuplicatePluginError,
    DuplicateToolError,
    InvalidArgumentsError,
    MissingExportError,
    OutOfFuel,
    PluginError,
    PluginFileError,
    PluginNotFoundError,
    ResourceLimits,
    ToolCall,
    ToolExecutionError,
    ToolRegistry,
    WasmPluginManager,
)
from purewasm_plugins.module import read_module

FixtureData = Callable[[str], bytes]


@pytest.fixture
def manager(engine: str) -> WasmPluginManager:
    return WasmPluginManager(engine=engine)


def names(manager: WasmPluginManager) -> list[str]:
    return [plugin.name for plugin in manager]


def test_order_and_membership(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    for name in ("stateful", "hello", "echo"):
        manager.load_from_bytes(fixture_data(name))
    assert names(manager) == ["stateful", "hello", "echo"]
    assert len(manager) == 3
    assert "hello" in manager
    assert "other" not in manager
    assert manager.get("other") is None
    assert manager.unload("stateful")
    assert not manager.unload("stateful")
    assert names(manager) == ["hello", "echo"]


def test_unloading_while_iterating(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    for name in ("stateful", "hello"):
        manager.load_from_bytes(fixture_data(name))
    for plugin in manager:
        assert manager.unload(plugin.name)
    assert len(manager) == 0


def test_a_second_plugin_of_a_name(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    """It is refused, and the first one is still there, with its state."""
    first = manager.load_from_bytes(fixture_data("stateful"))
    assert manager.execute_tool("stateful", 0, "") == "1"
    with pytest.raises(DuplicatePluginError, match="'stateful' is already loaded"):
        manager.load_from_bytes(fixture_data("stateful"))
    assert manager.get("stateful") is first
    assert manager.execute_tool("stateful", 0, "") == "2"
    manager.unload("stateful")
    assert manager.load_from_bytes(fixture_data("stateful")).execute_tool(0, "") == "1"


@pytest.mark.parametrize(
    "name", ["no_exports", "trap_on_tool_name", "empty_version", "invalid", "four_gigabytes"]
)
def test_a_failed_load_changes_nothing(
    manager: WasmPluginManager, fixture_data: FixtureData, name: str
) -> None:
    manager.load_from_bytes(fixture_data("stateful"))
    assert manager.execute_tool("stateful", 0, "") == "1"
    with pytest.raises(PluginError):
        manager.load_from_bytes(fixture_data(name))
    assert names(manager) == ["stateful"]
    assert manager.execute_tool("stateful", 0, "") == "2"


def test_a_plugin_that_is_not_loaded(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    with pytest.raises(PluginNotFoundError, match="'echo' is not loaded"):
        manager.execute_tool("echo", 0, "")
    manager.load_from_bytes(fixture_data("hello"))
    with pytest.raises(PluginNotFoundError, match=r"'echo' is not loaded \(there are: hello\)"):
        manager.execute_tool("echo", 0, "")


def test_its_options_are_those_of_its_plugins(engine: str, fixture_data: FixtureData) -> None:
    logged: list[int] = []
    manager = WasmPluginManager(
        engine=engine,
        limits=ResourceLimits(fuel=1000),
        imports={"env": {"log": logged.append}},
    )
    manager.load_from_bytes(fixture_data("imports_host"))
    assert manager.execute_tool("imports_host", "greet", "x") == "logged"
    assert len(logged) == 1
    plugin = manager.load_from_bytes(fixture_data("loop_forever"))
    assert plugin.limits.fuel == 1000
    with pytest.raises(ToolExecutionError) as raised:
        manager.execute_tool("loop_forever", 0, "")
    assert isinstance(raised.value.__cause__, OutOfFuel)


def test_a_directory(manager: WasmPluginManager, fixture_data: FixtureData, tmp_path: Path) -> None:
    for file, name in {
        "c.wasm": "hello",
        "a.wasm": "echo",
        "b.wasm": "no_exports",
        "d.wasm": "echo",
        "e.wasm": "stateful",
    }.items():
        (tmp_path / file).write_bytes(fixture_data(name))
    (tmp_path / "b2.wasm").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no plugin")
    (tmp_path / "plugin.wasm.bak").write_bytes(fixture_data("traps"))
    (tmp_path / "folder.wasm").mkdir()
    (tmp_path / "gone.wasm").symlink_to(tmp_path / "missing")

    report = manager.load_directory(tmp_path)
    assert [plugin.name for plugin in report.loaded] == ["echo", "hello", "stateful"]
    assert names(manager) == ["echo", "hello", "stateful"]
    failed = {path.name: error for path, error in report.failed}
    assert list(failed) == ["b.wasm", "b2.wasm", "d.wasm", "folder.wasm", "gone.wasm"]
    assert isinstance(failed["b.wasm"], MissingExportError)
    assert isinstance(failed["b2.wasm"], CompileError)
    assert "already loaded" in str(failed["d.wasm"])
    assert type(failed["folder.wasm"]) is PluginFileError
    assert str(tmp_path / "gone.wasm") in str(failed["gone.wasm"])
    assert all(path.parent == tmp_path for path, _ in report.failed)
    assert manager.execute_tool("echo", 0, "x") == "x"

    again = WasmPluginManager().load_directory(str(tmp_path))
    assert [plugin.name for plugin in again.loaded] == ["echo", "hello", "stateful"]


def test_a_directory_that_cannot_be_read(manager: WasmPluginManager, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / "file"):
        if path.name == "file":
            path.write_text("")
        with pytest.raises(PluginError, match="Failed to read plugin directory") as raised:
            manager.load_directory(path)
        assert str(path) in str(raised.value)
        assert isinstance(raised.value.__cause__, OSError)
    assert manager.load_directory(tmp_path).loaded == ()


def test_files_that_cannot_be_read(manager: WasmPluginManager, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.wasm", tmp_path, tmp_path / ("x" * 5000), "nul\0.wasm"):
        with pytest.raises(PluginError, match="Failed to read plugin") as raised:
            manager.load(path)
        assert type(raised.value) is PluginFileError
    secret = tmp_path / "secret.wasm"
    secret.write_bytes(b"")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        secret.chmod(0o600)
    else:
        with pytest.raises(PluginError, match="Failed to read plugin"):
            manager.load(secret)
    assert len(manager) == 0


def test_register_all(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    for name in ("hello", "stateful", "traps"):
        manager.load_from_bytes(fixture_data(name))
    registry = ToolRegistry()
    manager.register_all(registry)
    assert list(registry)[:3] == ["greet", "count", "unreachable"]
    assert len(registry) == 13
    assert registry.execute(ToolCall("count", {"input": ""})).output == "1"
    assert manager.execute_tool("stateful", 0, "") == "2", "the same plugin"


def test_a_plugin_that_cannot_be_registered_is_refused_alone(
    manager: WasmPluginManager,
    fixture_data: FixtureData,
    wat: Callable[[str], bytes],
    plugin_text: Callable[..., str],
) -> None:
    """One with two tools of a name, one whose tool's name is taken, one with a bad schema."""
    schema = """(data (i32.const 900) "{\\22type\\22:5}\\00")
      (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 900)"""
    manager.load_from_bytes(wat(plugin_text(extra=schema)))
    for name in ("duplicate_tools", "hello", "echo", "in_place", "limited_memory"):
        manager.load_from_bytes(fixture_data(name))
    registry = ToolRegistry()
    report = manager.register_all(registry)
    assert [plugin.name for plugin in report.registered] == ["hello", "echo", "in_place"]
    assert [(plugin.name, type(error)) for plugin, error in report.failed] == [
        ("built", InvalidArgumentsError),
        ("duplicate_tools", DuplicateToolError),
        ("limited_memory", DuplicateToolError),
    ]
    assert list(registry) == ["greet", "echo", "shout"]
    limited = report.failed[-1][0]
    limited.register_into_registry(registry, prefix="limited.")
    assert registry.execute(ToolCall("limited.echo", {"input": "x"})).output == "x"


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        (None, ["echo", "greet"]),
        ("", ["echo", "greet"]),
        ("my_", ["my_echo", "my_greet"]),
        ("{plugin}.", ["echo.echo", "hello.greet"]),
        ("{plugin}_{plugin}_", ["echo_echo_echo", "hello_hello_greet"]),
        ("{other}", ["{other}echo", "{other}greet"]),
    ],
)
def test_a_prefix_for_all(
    manager: WasmPluginManager, fixture_data: FixtureData, prefix: str | None, names: list[str]
) -> None:
    for name in ("echo", "hello"):
        manager.load_from_bytes(fixture_data(name))
    registry = ToolRegistry()
    assert manager.register_all(registry, prefix=prefix).failed == ()
    assert list(registry) == names
    (echo, _) = names
    assert registry.execute(ToolCall(echo, {"input": "x"})).output == "x"
    assert manager.execute_tool("echo", "echo", "x") == "x", "the plugin keeps its own names"


def test_tools_of_one_name(manager: WasmPluginManager, fixture_data: FixtureData) -> None:
    """Refused with the names of both plugins, replaced, or kept apart by a prefix."""
    for name in ("echo", "limited_memory"):
        manager.load_from_bytes(fixture_data(name))
    registry = ToolRegistry()
    report = manager.register_all(registry)
    ((plugin, error),) = report.failed
    assert (plugin.name, type(error)) == ("limited_memory", DuplicateToolError)
    assert "'echo'" in str(error)
    assert "limited_memory" in str(error)
    kept = registry.get("echo")
    assert manager.register_all(registry, replace=True).failed == ()
    assert list(registry) == ["echo"]
    assert registry.get("echo") is not kept
    apart = ToolRegistry()
    assert manager.register_all(apart, prefix="{plugin}_").failed == ()
    assert list(apart) == ["echo_echo", "limited_memory_echo"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("mine"), RecursionError("deep")])
def test_whatever_goes_wrong_in_one_file(
    engine: str,
    fixture_data: FixtureData,
    wat: Callable[[str], bytes],
    plugin_text: Callable[..., str],
    tmp_path: Path,
    error: Exception,
) -> None:
    def fail() -> None:
        raise error

    text = plugin_text(imports='(import "env" "fail" (func $fail)) (start $fail)')
    (tmp_path / "a.wasm").write_bytes(wat(text))
    (tmp_path / "b.wasm").write_bytes(fixture_data("hello"))
    manager = WasmPluginManager(engine=engine, imports={"env": {"fail": fail}})
    report = manager.load_directory(tmp_path)
    assert [plugin.name for plugin in report.loaded] == ["hello"]
    (path, reported), *others = report.failed
    assert (path.name, others) == ("a.wasm", [])
    assert isinstance(reported, PluginError)
    if not isinstance(error, MemoryError):
        assert reported.__cause__ is error
        assert str(error) in str(reported)


def test_a_report_does_not_hold_the_memory_of_what_failed(
    manager: WasmPluginManager,
    wat: Callable[[str], bytes],
    plugin_text: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Eight plugins of 64 MiB each; what was thrown away is collected before there is more."""
    text = plugin_text(
        memory='(memory (export "memory") 1024)',
        plugin_tool_name='(func (export "plugin_tool_name") (param i32) (result i32) unreachable)',
    )
    for number in range(8):
        (tmp_path / f"{number}.wasm").write_bytes(wat(text))
    tracemalloc.start()
    try:
        report = manager.load_directory(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(report.failed) == 8
    assert peak < 300 * 1024 * 1024


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_and_devices_are_refused(
    manager: WasmPluginManager, fixture_data: FixtureData, tmp_path: Path
) -> None:
    """They are not even opened: a pipe would wait for a writer, and a device may act."""
    os.mkfifo(tmp_path / "a.wasm")
    (tmp_path / "b.wasm").symlink_to("/dev/zero")
    (tmp_path / "c.wasm").write_bytes(fixture_data("hello"))
    report = manager.load_directory(tmp_path)
    assert [plugin.name for plugin in report.loaded] == ["hello"]
    assert [(path.name, "no regular file" in str(error)) for path, error in report.failed] == [
        ("a.wasm", True),
        ("b.wasm", True),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_takes_the_place_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and its opening."""
    file, pipe = tmp_path / "file.wasm", tmp_path / "pipe.wasm"
    file.write_bytes(b"")
    os.mkfifo(pipe)
    status = file.stat()
    monkeypatch.setattr("purewasm_plugins.plugin.plugin.os.stat", lambda path: status)
    with pytest.raises(PluginError, match="no regular file"):
        read_module(pipe)


def test_registered_tools_outlive_their_manager(
    manager: WasmPluginManager, fixture_data: FixtureData
) -> None:
    manager.load_from_bytes(fixture_data("echo"))
    registry = ToolRegistry()
    manager.register_all(registry)
    manager.unload("echo")
    assert registry.execute(ToolCall("echo", {"input": "still here"})).output == "still here"
