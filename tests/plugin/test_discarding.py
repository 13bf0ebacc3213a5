"""Discarded instances: they are freed at once, what is left of them can be read, none runs again.

`discard` breaks the cycles of references. The garbage collector is off in the tests of freeing.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.sample_inputs import input_of
from purewasm_plugins import (
    Caller,
    Cancellation,
    PluginError,
    ToolExecutionError,
    Wasi,
    WasmError,
    WasmPlugin,
    instantiate,
)
from tests.conftest import ROOT

FixtureData = Callable[[str], bytes]
Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]

REAL = sorted((ROOT / "fixtures" / "plugins").rglob("*.wasm"))


@pytest.fixture
def no_collector() -> Iterator[None]:
    if sys.implementation.name != "cpython":
        pytest.skip("other Pythons count no references")
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def requested() -> Cancellation:
    cancellation = Cancellation()
    cancellation.request()
    return cancellation


def end_early(plugin: WasmPlugin, tool: int | str, text: str) -> None:
    """Begin a call, and end it at its first unit of fuel."""
    with pytest.raises(ToolExecutionError, match="cancelled"):
        plugin.execute_tool(tool, text, cancellation=requested())


def ends() -> dict[str, Callable[[WasmPlugin], object]]:
    """Return what makes a plugin give up its instance."""
    return {
        "trap": lambda plugin: plugin.execute_tool("crash", ""),
        "cancelled": lambda plugin: plugin.execute_tool(0, "", cancellation=requested()),
        "closed": lambda plugin: plugin.close(),
    }


@pytest.mark.parametrize("end", ends())
def test_an_instance_is_freed_at_once(
    fixture_data: FixtureData, end: str, no_collector: None
) -> None:
    plugin = WasmPlugin.load_from_bytes(fixture_data("trap_then_state"))
    assert plugin.execute_tool("count", "") == "1"
    instance = weakref.ref(plugin.instance)
    with suppress(ToolExecutionError):
        ends()[end](plugin)
    assert instance() is None


def test_with_the_exception_of_a_host_function(
    fixture_data: FixtureData, no_collector: None
) -> None:
    def log(caller: Caller, pointer: int) -> None:
        raise PermissionError("mine")

    plugin = WasmPlugin.load_from_bytes(fixture_data("imports_host"), imports={"env": {"log": log}})
    instance = weakref.ref(plugin.instance)
    with pytest.raises(PermissionError, match="mine") as raised:
        plugin.execute_tool(0, "x")
    assert raised.value.__suppress_context__
    del raised
    assert instance() is None


def test_what_is_left_can_be_read(load: Load) -> None:
    """A host function may have kept the `Caller`, and another instance a function."""
    plugin = load("trap_then_state")
    instance = plugin.instance
    exports, memory = instance.exports, instance.exports.memory()
    function = exports.function("plugin_tools_count")
    assert function() == 2
    name = memory.read_string(exports.function("plugin_name")())
    with pytest.raises(ToolExecutionError):
        plugin.execute_tool("crash", "")
    assert exports.memory() is memory
    with pytest.raises(WasmError, match="instance was discarded"):
        function()
    assert memory.read_string(memory.raw.find(name.encode())) == name
    assert [*exports] == [*plugin.instance.exports]
    assert plugin.instance.exports.function("plugin_tools_count")() == 2


def test_a_function_that_another_instance_imports(fixture_data: FixtureData, wat: Wat) -> None:
    plugin = WasmPlugin.load_from_bytes(fixture_data("trap_then_state"))
    count = plugin.instance.exports.function("plugin_tools_count")
    importer = instantiate(
        wat(
            """(module (import "a" "count" (func $count (result i32)))
                 (func (export "f") (result i32) call $count))"""
        ),
        {"a": {"count": count}},
    )
    assert importer.exports.function("f")() == 2
    plugin.close()
    with pytest.raises(WasmError, match="instance was discarded"):
        importer.exports.function("f")()


def test_a_trap_can_be_looked_at(load: Load) -> None:
    plugin = load("trap_then_state")
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool("crash", "")
    plugin.execute_tool("count", "")
    cause = raised.value.__cause__
    assert isinstance(cause, WasmError)
    assert "unreachable" in str(cause)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_calls_after_a_discarded_instance_are_those_of_a_fresh_plugin(path: Path) -> None:
    """The fresh instance may get the code that the discarded one has run."""
    if path.parent.name == "host_functions":
        pytest.skip("it needs imports")
    wasi = Wasi() if path.parent.name == "wasi_starter" else None
    plugin = WasmPlugin.load(path, wasi=wasi)
    tools = plugin.tools
    fresh = {tool.index: outcome(WasmPlugin.load(path, wasi=wasi), tool.index) for tool in tools}
    for round in range(3):
        for tool in tools:
            end_early(plugin, tool.index, input_of(tool))
            # In an instance without calls before, so the fuel is the same, too.
            assert outcome(plugin, tool.index) == fresh[tool.index]
            for other in tools[round % 2 :]:
                assert outcome(plugin, other.index)[0] == fresh[other.index][0]


def outcome(plugin: WasmPlugin, tool: int) -> tuple[str, int]:
    """Return the output of a tool for its sample, or its error; and the fuel that it used."""
    try:
        output = plugin.execute_tool(tool, input_of(plugin.tools[tool]))
    except PluginError as error:
        output = f"{type(error).__name__}: {error}"
    return output, plugin.instance.fuel_used
