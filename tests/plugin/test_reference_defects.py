"""The defects of the reference host, which this host does not have: one test for each."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from purewasm_plugins import (
    DeadlineExceeded,
    InstantiateError,
    OutOfFuel,
    ToolCall,
    ToolExecutionError,
    ToolRegistry,
    WasmPlugin,
)

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]


def test_registered_tools_run(load: Load) -> None:
    """There, they all answer "not yet implemented"."""
    registry = ToolRegistry()
    load("echo").register_into_registry(registry)
    result = registry.execute(ToolCall("echo", {"input": "really"}))
    assert (result.success, result.output, result.error) == (True, "really", None)


def test_each_registered_tool_reports_its_own_definition(load: Load) -> None:
    """There, all report the first tool's."""
    plugin = load("many_tools")
    registry = ToolRegistry()
    plugin.register_into_registry(registry)
    definitions = registry.definitions()
    assert [definition.name for definition in definitions] == [f"tool_{n:02}" for n in range(100)]
    assert [definition.description for definition in definitions] == [
        tool.description for tool in plugin.tools
    ]
    for number in (0, 1, 99):
        tool = registry.get(f"tool_{number:02}")
        assert tool is not None
        assert tool.definition.name == f"tool_{number:02}"
        assert registry.execute(ToolCall(f"tool_{number:02}", {"input": ""})).output == (
            f"tool_{number:02}"
        )


def test_calls_do_not_leak_memory(load: Load) -> None:
    """There, each call costs a page, and a plugin of 256 pages dies on call 256."""
    plugin = load("limited_memory")
    lengths = set()
    for number in range(300):
        assert plugin.execute_tool(0, f"call {number}") == f"call {number}"
        lengths.add(len(plugin.instance.exports.memory().raw))
    assert len(lengths) == 1
    assert plugin.instance.exports.memory().pages == 1


@pytest.mark.parametrize("pages", [1, 2])
def test_the_terminator_is_always_written(load: Load, pages: int) -> None:
    """There, an input that fills its pages has none, and fresh pages must happen to be zero."""
    plugin = load("inspect_input")
    full = "x" * (pages * 65536)
    shorter = "y" * (pages * 65536 - 1)
    for text in (full, shorter, full, "short", "", full[:-2]):
        assert load("echo").execute_tool(0, text) == text
        if len(text) < 10:
            assert plugin.execute_tool("length", text) == str(len(text))
    echo = load("echo")
    for text in (full, shorter, full, "short", "", full[:-2]):
        assert echo.execute_tool(0, text) == text


def test_an_empty_input_has_an_address_inside_memory(load: Load) -> None:
    """There, it gets a pointer past the end of memory."""
    plugin = load("inspect_input")
    address = int(plugin.execute_tool("address", ""))
    memory = plugin.instance.exports.memory()
    assert memory.read(address, 1) == b"\0"
    assert plugin.execute_tool("length", "") == "0"
    assert load("echo").execute_tool(0, "") == ""


@pytest.mark.parametrize("tool", ["far", "negative"])
def test_a_result_past_the_end_of_memory_is_an_error(load: Load, tool: str) -> None:
    """There, it aborts the process."""
    plugin = load("bad_pointer")
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool(tool, "x")
    assert raised.value.tool == tool
    assert "past the end of memory" in raised.value.details


@pytest.mark.parametrize("index", [-1, 1, 2, 2**31, 2**32, -(2**31)])
def test_a_bad_tool_index_is_an_error(load: Load, index: int) -> None:
    """There, it aborts the process."""
    plugin = load("echo")
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool(index, "x")
    assert raised.value.tool == str(index)
    assert plugin.execute_tool(0, "fine") == "fine"


@pytest.mark.parametrize(("name", "count"), [("negative_count", "-1"), ("huge_count", "1000000")])
def test_a_nonsensical_tool_count_is_an_error(load: Load, name: str, count: str) -> None:
    """There, -1 is four billion tools."""
    with pytest.raises(ToolExecutionError, match=f" {count} tools") as raised:
        load(name)
    assert raised.value.tool == "plugin_tools_count"


def test_time_is_limited(load: Load) -> None:
    plugin = load("loop_forever", timeout=0.1)
    began = time.monotonic()
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool(0, "")
    assert isinstance(raised.value.__cause__, DeadlineExceeded)
    assert time.monotonic() - began < 10

    plugin = load("loop_forever", fuel=10_000)
    with pytest.raises(ToolExecutionError) as raised:
        plugin.execute_tool(0, "")
    assert isinstance(raised.value.__cause__, OutOfFuel)


def test_memory_is_limited(load: Load) -> None:
    with pytest.raises(InstantiateError, match="65536 memory pages"):
        load("four_gigabytes")
    plugin = load("grow_until_refused", memory_pages=30)
    assert int(plugin.execute_tool(0, "")) < 30
    assert len(plugin.instance.exports.memory().raw) <= 30 * 65536


def test_imports_can_be_given(load: Load) -> None:
    """There, any import at all fails."""
    logged: list[str] = []

    def log(pointer: int) -> None:
        memory = plugin.instance.exports.memory()
        logged.append(memory.read(pointer, memory.find(0, pointer) - pointer).decode())

    plugin = load("imports_host", {"env": {"log": log}})
    seen = plugin.execute_tool(0, "first message")
    assert seen == "logged"
    assert logged == ["first message"]


def test_an_agent_can_pass_an_argument(load: Load) -> None:
    """There, tools have no schema."""
    registry = ToolRegistry()
    load("echo").register_into_registry(registry)
    (definition,) = registry.definitions()
    assert definition.parameters["properties"]["input"]["type"] == "string"
    assert definition.parameters["required"] == ["input"]
