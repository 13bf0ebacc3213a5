"""Names of tools that agents accept, and a duplicate's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from purewasm_plugins import (
    DuplicateToolError,
    ToolCall,
    ToolDefinition,
    ToolNotFoundError,
    ToolRegistry,
    ToolResult,
)
from purewasm_plugins.tools.names import AGENT_NAME, agent_name, agent_names

NAMES = ["plain", "json.pretty", "json pretty", "", "größe", "x" * 65, "x" * 66, "\ud800", "a\0b"]


class Named:
    def __init__(self, name: str, origin: str | None = None) -> None:
        self.definition = ToolDefinition(name, "", {"type": "object"})
        if origin is not None:
            self.origin = origin

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(self.definition.name, success=True, output="done")


def test_each_name_becomes_one_that_agents_accept() -> None:
    chosen = agent_names(NAMES)
    assert chosen["plain"] == "plain"
    assert all(AGENT_NAME.fullmatch(name) for name in chosen.values())
    assert len({*chosen.values()}) == len(NAMES)
    assert chosen == {name: agent_name(name) for name in NAMES}, "whatever other tools there are"
    assert chosen["json.pretty"].startswith("json_pretty_")


def test_a_name_that_is_taken() -> None:
    taken = agent_name("json.pretty")
    chosen = agent_names(["json.pretty", taken])
    assert chosen[taken] == taken
    assert chosen["json.pretty"] != taken
    assert AGENT_NAME.fullmatch(chosen["json.pretty"])


def test_a_registry_finds_the_tool_by_the_name_that_an_agent_was_told() -> None:
    registry = ToolRegistry()
    registry.register_all(Named(name) for name in NAMES)
    for name, entry in zip(NAMES, registry.to_openai_tools(), strict=True):
        assert registry.execute(ToolCall(entry["function"]["name"])).tool_name == name
        assert registry.execute(ToolCall(name)).tool_name == name
    with pytest.raises(ToolNotFoundError):
        registry.execute(ToolCall("json_pretty"))


def test_a_duplicate_names_both_tools() -> None:
    registry = ToolRegistry()
    registry.register(Named("x", "plugin 'a'"))
    with pytest.raises(DuplicateToolError) as raised:
        registry.register(Named("x", "plugin 'b'"))
    assert (raised.value.registered, raised.value.refused) == ("plugin 'a'", "plugin 'b'")
    registry.register(Named("x"), replace=True)
    with pytest.raises(DuplicateToolError) as raised:
        registry.register(Named("x"))
    assert (raised.value.registered, raised.value.refused) == (None, None)


def test_a_result_has_the_exception() -> None:
    class Failing(Named):
        def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
            raise LookupError("nothing")

    registry = ToolRegistry()
    registry.register(Failing("x"))
    first, second = (registry.execute(ToolCall("x")) for _ in range(2))
    assert isinstance(first.exception, LookupError)
    assert first.error == "LookupError: nothing"
    same = ToolResult("x", success=False, output="", error=first.error)
    timed = ToolResult("x", success=False, output="", error=first.error, exception=first.exception)
    assert same == timed
    assert hash(same) == hash(timed)
    assert first != timed
    assert second.exception is not first.exception
