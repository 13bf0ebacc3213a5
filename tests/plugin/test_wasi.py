"""Plugins with WASI: their output as lines of a log, their end by `proc_exit`, their grants."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Exited,
    InstantiateError,
    InvalidOptionError,
    MemoryDirectory,
    PluginError,
    PluginOptions,
    Quotas,
    ToolExecutionError,
    Wasi,
    WasmPlugin,
    WasmPluginManager,
)

Wat = Callable[[str], bytes]

#: The tools, which answer their input: `say` writes it to standard output, `warn` to the other;
#: `leave` calls `proc_exit` with 3, `store` makes a directory in the first that was granted.
TEXT = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $make (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "speaker\\00") (data (i32.const 32) "1\\00")
  (data (i32.const 48) "say\\00\\00\\00\\00\\00warn\\00\\00\\00\\00leave\\00\\00\\00store\\00")
  (data (i32.const 96) "loading\\0a")
  (func $say (param $fd i32) (param $start i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $start))
    (i32.store (i32.const 4) (local.get $size))
    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable)))
  (func (export "plugin_name") (result i32)
    (call $say (i32.const 1) (i32.const 96) (i32.const 8)) (i32.const 16))
  (func (export "plugin_version") (result i32) (i32.const 32))
  (func (export "plugin_description") (result i32) (i32.const 32))
  (func (export "plugin_tools_count") (result i32) (i32.const 4))
  (func (export "plugin_tool_name") (param i32) (result i32)
    (i32.add (i32.const 48) (i32.shl (local.get 0) (i32.const 3))))
  (func (export "plugin_tool_description") (param i32) (result i32) (i32.const 32))
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $input))
    (loop $more (if (i32.load8_u (local.get $end)) (then
      (local.set $end (i32.add (local.get $end) (i32.const 1))) (br $more))))
    (if (i32.eq (local.get $tool) (i32.const 2)) (then (call $proc_exit (i32.const 3))))
    (if (i32.eq (local.get $tool) (i32.const 3)) (then
      (if (call $make (i32.const 3) (local.get $input)
          (i32.sub (local.get $end) (local.get $input))) (then unreachable))
      (return (local.get $input))))
    (call $say (i32.add (local.get $tool) (i32.const 1)) (local.get $input)
      (i32.sub (local.get $end) (local.get $input)))
    (local.get $input)))"""


@pytest.fixture
def speak(wat: Wat, engine: str, caplog: pytest.LogCaptureFixture) -> Callable[..., WasmPlugin]:
    """`speak(wasi=True)`: the plugin."""
    caplog.set_level(logging.INFO, "purewasm_plugins.plugin")

    def load(wasi: Any = True) -> WasmPlugin:
        return WasmPlugin.load_from_bytes(wat(TEXT), engine=engine, wasi=wasi)

    return load


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The level and the text of each record since the last look."""
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return found


def test_output_is_logged(
    speak: Callable[..., WasmPlugin], caplog: pytest.LogCaptureFixture
) -> None:
    plugin = speak()
    assert lines(caplog) == [("INFO", "speaker: loading")]
    assert plugin.execute_tool("say", "one\ntwo\r\n\nthree") == "one\ntwo\r\n\nthree"
    assert lines(caplog) == [("INFO", f"speaker: {text}") for text in ("one", "two", "", "three")]
    plugin.execute_tool("warn", "be\x1bware")
    assert (caplog.records[0].plugin, caplog.records[0].stream) == ("speaker", "stderr")  # type: ignore[attr-defined]
    assert lines(caplog) == [("WARNING", "speaker: be\\x1bware")]
    plugin.execute_tool("say", "")
    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ('(export "plugin_version")', '(export "other")', "speaker"),
        (
            "(i32.const 8)) (i32.const 16))",
            "(i32.const 8)) unreachable)",
            "a plugin without a name",
        ),
        (
            '(func (export "plugin_name") (result i32)',
            "(start $s) (func $s (drop (call $name)) unreachable) (func $name (result i32)",
            "a plugin without a name",
        ),
    ],
)
def test_what_was_written_before_loading_failed_is_logged(
    wat: Wat,
    engine: str,
    caplog: pytest.LogCaptureFixture,
    before: str,
    after: str,
    name: str,
) -> None:
    caplog.set_level(logging.INFO, "purewasm_plugins.plugin")
    with pytest.raises(PluginError):
        WasmPlugin.load_from_bytes(wat(TEXT.replace(before, after)), engine=engine, wasi=True)
    assert lines(caplog) == [("INFO", f"{name}: loading")]


def test_much_output_becomes_few_lines(
    speak: Callable[..., WasmPlugin], caplog: pytest.LogCaptureFixture
) -> None:
    plugin = speak()
    caplog.clear()
    plugin.execute_tool("say", "\n" * 5000 + "x")
    found = lines(caplog)
    assert len(found) == 1001
    assert found[-1] == ("INFO", "speaker: 4001 more bytes")
    plugin.execute_tool("say", "x" * 5000)
    assert lines(caplog) == [("INFO", f"speaker: {'x' * 2000}…")]


def test_the_quota_of_output_begins_anew_with_each_call(
    speak: Callable[..., WasmPlugin], caplog: pytest.LogCaptureFixture
) -> None:
    plugin = speak(Wasi(quotas=Quotas(output_bytes=10)))
    for _ in range(3):
        assert plugin.execute_tool("say", "x" * 10) == "x" * 10
    caplog.clear()
    with pytest.raises(ToolExecutionError, match="unreachable"):
        speak(Wasi(quotas=Quotas(output_bytes=0)))
    assert lines(caplog) == []


def test_exit_closes_the_instance(speak: Callable[..., WasmPlugin]) -> None:
    plugin = speak()
    before = plugin.instance
    with pytest.raises(ToolExecutionError, match="the module exited with code 3") as caught:
        plugin.execute_tool("leave", "")
    assert isinstance(caught.value.__cause__, Exited)
    assert caught.value.__cause__.code == 3
    assert plugin.execute_tool("say", "again") == "again"
    assert plugin.instance is not before


def test_grants(speak: Callable[..., WasmPlugin]) -> None:
    scratch = MemoryDirectory()
    plugin = speak(Wasi(directories={"/": scratch}))
    plugin.execute_tool("store", "first")
    with pytest.raises(ToolExecutionError, match="exited"):
        plugin.execute_tool("leave", "")
    plugin.execute_tool("store", "second")
    assert scratch.files() == {"first/": b"", "second/": b""}
    with pytest.raises(ToolExecutionError, match="unreachable"):
        speak().execute_tool("store", "nowhere")


def test_options(wat: Wat) -> None:
    data = wat(TEXT)
    with pytest.raises(InstantiateError, match="unknown import"):
        WasmPlugin.load_from_bytes(data)
    with pytest.raises(InvalidOptionError, match="Invalid option 'wasi'"):
        PluginOptions(wasi=1)  # type: ignore[arg-type]
    options = PluginOptions(wasi=True)
    assert PluginOptions.merged(options, wasi=False).wasi is False
    assert PluginOptions.merged(options).wasi is True
    plugin = WasmPlugin.load_from_bytes(data, options)
    copy = pickle.loads(pickle.dumps(plugin))
    assert copy.execute_tool("say", "copied") == "copied"
    assert WasmPluginManager(options).load_from_bytes(data).name == "speaker"
