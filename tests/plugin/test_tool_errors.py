"""The failure that a tool reports by `plugin_tool_error`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purewasm_plugins import (
    PluginTool,
    ToolCall,
    ToolExecutionError,
    ToolFailedError,
    ToolRegistry,
    Trap,
    WasmPlugin,
    WrongExportTypeError,
)
from purewasm_plugins.plugin.conformance import Status, check

FixtureData = Callable[[str], bytes]
Load = Callable[..., WasmPlugin]


def test_a_tool_reports_that_it_failed(load: Load) -> None:
    plugin = load("reports_errors")
    assert plugin.execute_tool("check", "fine") == "fine"
    instance = plugin.instance
    with pytest.raises(ToolFailedError) as raised:
        # The output's pointer lies outside the memory: it is not read.
        plugin.execute_tool("check", "!")
    assert raised.value.tool == "check"
    assert raised.value.details == "the input begins with !"
    assert raised.value.__cause__ is None
    assert plugin.execute_tool("check", "fine again") == "fine again"
    assert plugin.instance is instance, "a tool that reports its failure keeps its state"


def test_a_pointer_to_no_string(load: Load) -> None:
    plugin = load("reports_errors")
    with pytest.raises(ToolExecutionError, match="lies past the end of memory") as raised:
        plugin.execute_tool("check", "?")
    assert type(raised.value) is ToolExecutionError
    assert plugin.execute_tool("check", "fine") == "fine"


def test_a_trap_while_the_failure_is_asked_for(load: Load) -> None:
    plugin = load("reports_errors")
    with pytest.raises(ToolExecutionError, match="unreachable in plugin_tool_error") as raised:
        plugin.execute_tool("check", "#")
    assert isinstance(raised.value.__cause__, Trap)
    assert plugin.execute_tool("check", "fine") == "fine"


def test_the_reason_is_limited_as_an_output_is(load: Load) -> None:
    plugin = load("reports_errors", output_bytes=22)
    with pytest.raises(ToolExecutionError, match="within 22 bytes"):
        plugin.execute_tool("check", "!")


def test_in_a_registry(load: Load) -> None:
    registry = ToolRegistry()
    load("reports_errors").register_into_registry(registry)
    result = registry.execute(ToolCall("check", {"input": "!"}))
    assert (result.success, result.output) == (False, "")
    assert result.error == "Tool 'check' failed: the input begins with !"
    assert isinstance(result.exception, ToolFailedError)


def test_another_type_is_refused_by_loading_and_by_the_check(
    load: Load, wat: Callable[[str], bytes], plugin_text: Callable[..., str]
) -> None:
    declared = '(func (export "plugin_tool_error") (param i32) (result i32) i32.const 0)'
    data = wat(plugin_text(extra=declared))
    with pytest.raises(WrongExportTypeError, match="plugin_tool_error"):
        load(data)
    failed = {found.name for found in check(data) if found.status is Status.FAIL}
    assert failed == {"export plugin_tool_error"}


def test_the_check_accepts_it(fixture_data: FixtureData) -> None:
    found = {one.name: one for one in check(fixture_data("reports_errors"))}
    assert found["export plugin_tool_error"].status is Status.PASS
    assert all(one.passed for one in found.values())


def test_the_tool_is_like_any_other(load: Load) -> None:
    assert load("reports_errors").tools == (PluginTool("check", "Fails on a mark", 0),)
