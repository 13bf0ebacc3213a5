"""Reloading by hand, and the watch over files."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins import (
    CompileError,
    DuplicatePluginError,
    DuplicateToolError,
    InvalidOptionError,
    PluginChange,
    PluginError,
    PluginNotFoundError,
    ToolCall,
    ToolRegistry,
    WasmPlugin,
    WasmPluginManager,
)
from purewasm_plugins.plugin.files import PluginFile

FixtureData = Callable[[str], bytes]
Build = Callable[..., bytes]

#: Nanoseconds between two writes of a file: so no two have the same time.
_TIME = 10**9


@pytest.fixture
def build(wat: Callable[[str], bytes], plugin_text: Callable[..., str]) -> Build:
    """`build(tool="tool", answer="1")`: a plugin with one tool that answers a constant."""

    def build(tool: str = "tool", answer: str = "1", name: str = "built") -> bytes:
        text = plugin_text(
            data=f"""(data (i32.const 16) "{name}\\00") (data (i32.const 48) "1.0.0\\00")
              (data (i32.const 64) "Built\\00") (data (i32.const 128) "{tool}\\00")
              (data (i32.const 160) "The tool\\00") (data (i32.const 200) "{answer}\\00")""",
            plugin_tool_execute="""(func (export "plugin_tool_execute")
              (param i32 i32) (result i32) i32.const 200)""",
        )
        return wat(text)

    return build


def write(path: Path, data: bytes) -> None:
    """Write a file in place, with a time of its own."""
    before = path.stat().st_mtime_ns if path.exists() else _TIME
    path.write_bytes(data)
    os.utime(path, ns=(before + _TIME, before + _TIME))


def answer(registry: ToolRegistry, tool: str) -> str:
    return registry.execute(ToolCall(tool, {"input": ""})).output


def test_reloading(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager, registry = WasmPluginManager(), ToolRegistry()
    old = manager.load(file)
    manager.register_all(registry, prefix="my_")
    assert manager.reload("built", registry=registry) is old, "the same bytes"
    write(file, build("renamed", answer="2", name="other"))
    new = manager.reload("built", registry=registry)
    assert [plugin.name for plugin in manager] == ["other"]
    assert [*manager.files] == ["other"]
    assert list(registry) == ["my_renamed"]
    assert answer(registry, "my_renamed") == "2"
    assert manager.execute_tool("other", 0, "") == "2"
    assert old.execute_tool(0, "") == "1", "running calls end on the old one"
    assert manager.get("other") is new


def test_two_threads_reload(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one begins and ends while the first one has read an older file."""
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager, registry = WasmPluginManager(), ToolRegistry()
    manager.load(file)
    manager.register_all(registry)
    load = PluginFile.load

    def slow(self: PluginFile) -> WasmPlugin:
        found = load(self)
        monkeypatch.undo()
        write(file, build(answer="3"))
        manager.reload("built", registry=registry)
        return found

    write(file, build(answer="2"))
    monkeypatch.setattr(PluginFile, "load", slow)
    manager.reload("built", registry=registry)
    assert answer(registry, "tool") == manager.execute_tool("built", 0, "") == "3"


def test_a_tool_keeps_its_name_in_the_registry(build: Build, tmp_path: Path) -> None:
    """Whatever the names of its plugin's other tools are."""
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager, registry, other = WasmPluginManager(), ToolRegistry(), ToolRegistry()
    manager.load(file).register_into_registry(registry, prefix="first_")
    write(file, build(answer="2"))
    manager.reload("built", registry=other)
    assert list(other) == [], "it had none of its tools"
    assert answer(registry, "first_tool") == "1"


def test_a_tool_that_was_taken_out_stays_out(fixture_data: FixtureData, tmp_path: Path) -> None:
    file = tmp_path / "a.wasm"
    write(file, fixture_data("with_schema"))
    manager, registry = WasmPluginManager(), ToolRegistry()
    manager.load(file)
    manager.register_all(registry)
    registry.unregister("resize")
    left = list(registry)
    write(file, fixture_data("with_schema") + b"\0\1\0")
    manager.reload("with_schema", registry=registry)
    assert list(registry) == left


def test_what_cannot_be_reloaded(build: Build, fixture_data: FixtureData, tmp_path: Path) -> None:
    manager, registry = WasmPluginManager(), ToolRegistry()
    manager.load_from_bytes(fixture_data("hello"))
    file = tmp_path / "a.wasm"
    write(file, build())
    old = manager.load(file)
    manager.register_all(registry)
    with pytest.raises(PluginNotFoundError, match="did you mean 'built'"):
        manager.reload("biult")
    with pytest.raises(PluginError, match="was not loaded from a file"):
        manager.reload("hello")
    for data, error in (
        (b"no module", CompileError),
        (fixture_data("hello"), DuplicatePluginError),
        (build("greet"), DuplicateToolError),
    ):
        write(file, data)
        with pytest.raises(error):
            manager.reload("built", registry=registry)
        assert manager.get("built") is old
        assert list(registry) == ["greet", "tool"]
    file.unlink()
    with pytest.raises(PluginError, match="Failed to read plugin"):
        manager.reload("built")
    assert manager.execute_tool("built", 0, "") == "1"


def test_a_watch_by_hand(build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "purewasm_plugins.plugin")
    file, new, broken = (tmp_path / f"{name}.wasm" for name in ("a", "new", "broken"))
    write(file, build(answer="1"))
    write(broken, b"never a plugin")
    manager, registry = WasmPluginManager(), ToolRegistry()
    manager.load_directory(tmp_path)
    manager.register_all(registry)
    told: list[PluginChange] = []
    with manager.watch(told.append, registry=registry, interval=None) as watch:
        assert watch.check() == ()
        old = manager.get("built")
        write(file, build(answer="2"))
        (change,) = watch.check()
        assert (change.path, change.previous, change.error) == (str(file), old, None)
        assert change.plugin is manager.get("built")
        assert answer(registry, "tool") == "2"

        write(file, b"broken")
        (change,) = watch.check()
        assert change.plugin is change.previous is manager.get("built")
        assert isinstance(change.error, CompileError)
        assert change.error.__traceback__ is None
        assert "the old one stays loaded" in caplog.text
        assert watch.check() == (), "it says so once"

        file.unlink()
        assert watch.check() == ()
        write(file, build(answer="2"))
        assert watch.check() == (), "the same as before"

        write(new, build("fresh", name="new"))
        write(broken, build("mended", name="broken"))
        assert [one.previous for one in watch.check()] == [None, None]
        assert [*registry] == ["tool", "mended", "fresh"]
        assert answer(registry, "fresh") == "1"
        write(tmp_path / "z.wasm", build(name="third"))
        (change,) = watch.check()
        assert isinstance(change.error, DuplicateToolError)
        assert "third" not in manager
        manager.unload("new")
        assert watch.check() == ()
    assert len(told) == 5
    assert answer(registry, "tool") == "2"


def test_a_change_before_the_watch(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager = WasmPluginManager()
    manager.load(file)
    write(file, build(answer="2"))
    with manager.watch(interval=None) as watch:
        assert len(watch.check()) == 1
        write(tmp_path / "b.wasm", build(name="other"))
        assert watch.check() == (), "no folder was loaded"
    assert manager.execute_tool("built", 0, "") == "2"


def test_a_watch_in_a_thread(
    build: Build, wat: Callable[[str], bytes], plugin_text: Callable[..., str], tmp_path: Path
) -> None:
    """A call that runs while the plugin is replaced ends on the old one."""
    file = tmp_path / "a.wasm"
    execute = """(func (export "plugin_tool_execute") (param i32 i32) (result i32)
      call $wait local.get 1)"""
    text = plugin_text(imports='(import "env" "wait" (func $wait))', plugin_tool_execute=execute)
    write(file, wat(text))
    told: queue.Queue[PluginChange] = queue.Queue()

    def wait() -> None:
        write(file, build(answer="new"))
        told.get(timeout=30)

    manager, registry = WasmPluginManager(imports={"env": {"wait": wait}}), ToolRegistry()
    manager.load(file)
    manager.register_all(registry)
    call = ToolCall("tool", {"input": "old"})
    with manager.watch(told.put, registry=registry, interval=0.01):
        assert registry.execute(call).output == "old"
        assert registry.execute(call).output == "new"


def test_a_listener_that_fails(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager = WasmPluginManager()
    manager.load(file)

    def fail(change: PluginChange) -> None:
        raise RuntimeError(f"mine: {change.path}")

    with manager.watch(fail, interval=None) as watch:
        write(file, build(answer="2"))
        assert len(watch.check()) == 1
    assert "a listener for changes of plugins failed" in caplog.text


def test_a_listener_ends_the_watch(build: Build, tmp_path: Path) -> None:
    """While the thread of the watch waits for the look of another thread."""
    file = tmp_path / "a.wasm"
    write(file, build(answer="1"))
    manager = WasmPluginManager()
    manager.load(file)
    told: list[PluginChange] = []

    def end(change: PluginChange) -> None:
        # So long that the thread waits by then.
        threading.Event().wait(0.05)
        told.append(change)
        watch.close()

    with manager.watch(end, interval=0.001) as watch:
        write(file, build(answer="2"))
        watch.check()
    assert len(told) == 1


def test_a_plugin_is_unloaded_meanwhile(build: Build, tmp_path: Path) -> None:
    """While the watch looks at the files of another one."""
    for name in ("a", "b"):
        write(tmp_path / f"{name}.wasm", build(name=name))
    manager = WasmPluginManager()
    manager.load(tmp_path / "a.wasm")
    manager.load(tmp_path / "b.wasm")
    with manager.watch(lambda change: manager.unload("b"), interval=None) as watch:
        write(tmp_path / "a.wasm", build(name="a", answer="2"))
        assert [change.error for change in watch.check()] == [None]


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), True, "1"])
def test_intervals(interval: float) -> None:
    with pytest.raises(InvalidOptionError, match="a number of seconds above 0"):
        WasmPluginManager().watch(interval=interval)
