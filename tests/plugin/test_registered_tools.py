"""A plugin's tools in a registry: schemas, arguments, traps, threads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    DuplicateToolError,
    InvalidArgumentsError,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolExecutionError,
    ToolImpl,
    ToolNotFoundError,
    ToolRegistry,
    WasmPlugin,
)

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]
Text = Callable[..., str]


def registry_of(*plugins: WasmPlugin) -> ToolRegistry:
    registry = ToolRegistry()
    for plugin in plugins:
        plugin.register_into_registry(registry)
    return registry


def test_definition_of_a_tool_without_a_schema(load: Load) -> None:
    registry = registry_of(load("hello"))
    tool = registry.get("greet")
    assert isinstance(tool, ToolImpl)
    definition = tool.definition
    assert isinstance(definition, ToolDefinition)
    assert definition.name == "greet"
    assert definition.description == load("hello").tools[0].description
    assert definition.category is ToolCategory.GENERAL
    assert definition.requires_approval is False
    assert definition.parameters["properties"]["input"]["type"] == "string"
    assert definition.parameters["additionalProperties"] is False


def test_definition_of_a_tool_with_a_schema(load: Load) -> None:
    plugin = load("with_schema")
    registry = registry_of(plugin)
    for tool, definition in zip(plugin.tools, registry.definitions(), strict=True):
        assert definition.parameters == tool.schema
    (search, _) = registry.to_openai_tools()
    assert search["function"]["parameters"]["required"] == ["query"]
    json.dumps(registry.to_openai_tools())


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"query": "x"}, '{"query":"x"}'),
    ({"query": "größe 🎈", "limit": 3}, '{"query":"größe 🎈","limit":3}'),
    ({"query": 'a"b\\c\n\0'}, '{"query":"a\\"b\\\\c\\n\\u0000"}'),
    (
        {"query": "", "more": [1, {"a": None}, True, 1.5]},
        '{"query":"","more":[1,{"a":null},true,1.5]}',
    ),
]


@pytest.mark.parametrize(("arguments", "received"), ARGUMENTS)
def test_a_tool_with_a_schema_gets_compact_json(
    load: Load, arguments: dict[str, Any], received: str
) -> None:
    result = registry_of(load("with_schema")).execute(ToolCall("search", arguments))
    assert (result.success, result.output, result.error) == (True, received, None)


@pytest.mark.parametrize("text", ["", "plain", '{"json": 1}', "größe", "x" * 70000])
def test_a_tool_without_a_schema_gets_the_string_as_it_is(load: Load, text: str) -> None:
    result = registry_of(load("echo")).execute(ToolCall("echo", {"input": text}))
    assert result.output == text


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {}),
        ("search", {"query": 5}),
        ("search", {"query": "x", "limit": 0}),
        ("search", {"query": "x", "limit": "3"}),
        ("search", "x"),
        ("search", None),
        ("search", ["query"]),
        ("resize", {"width": 1}),
        ("resize", {"width": 1, "height": 2.5}),
        ("resize", {"width": 1, "height": 2, "keep_ratio": "yes"}),
    ],
)
def test_arguments_are_validated_before_the_plugin_runs(
    load: Load, wat: Wat, fixture_data: Callable[[str], bytes], tool: str, arguments: Any
) -> None:
    plugin = load("with_schema")
    used = plugin.instance.fuel_used
    registry = registry_of(plugin)
    with pytest.raises(InvalidArgumentsError) as raised:
        registry.execute(ToolCall(tool, arguments))
    assert raised.value.tool == tool
    assert "arguments" in raised.value.details
    assert plugin.instance.fuel_used == used


@pytest.mark.parametrize(
    "arguments", [{}, {"input": 5}, {"input": None}, {"text": "x"}, {"input": "x", "more": 1}]
)
def test_arguments_of_a_tool_without_a_schema(load: Load, arguments: dict[str, Any]) -> None:
    plugin = load("stateful")
    registry = registry_of(plugin)
    with pytest.raises(InvalidArgumentsError):
        registry.execute(ToolCall("count", arguments))
    assert plugin.execute_tool(0, "") == "1", "the plugin has run"


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("echo", {"input": "a\0b"}, "U+0000"),
        ("echo", {"input": "\ud800"}, "lone surrogate"),
        ("search", {"query": "\ud800"}, "lone surrogate"),
        ("search", {"query": "x", "more": float("nan")}, "JSON"),
    ],
)
def test_arguments_that_cannot_be_passed(
    load: Load, tool: str, arguments: dict[str, Any], message: str
) -> None:
    registry = registry_of(load("echo"), load("with_schema"))
    result = registry.execute(ToolCall(tool, arguments))
    assert (result.success, result.output) == (False, "")
    assert message in (result.error or "")
    assert registry.execute(ToolCall("echo", {"input": "fine"})).output == "fine"


def test_arguments_that_json_cannot_write(load: Load) -> None:
    registry = registry_of(load("with_schema"))
    for wrong in (object(), {1, 2}, b"bytes"):
        result = registry.execute(ToolCall("search", {"query": "x", "more": wrong}))
        assert not result.success
        assert result.error
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgumentsError, match="nested too deep"):
        registry.execute(ToolCall("search", {"query": "x", "more": endless}))


def test_tools_go_on_working_after_a_trap(load: Load) -> None:
    registry = registry_of(load("trap_then_state"))
    assert registry.execute(ToolCall("count", {"input": ""})).output == "1"
    assert registry.execute(ToolCall("crash", {"input": ""})).success is False
    assert registry.execute(ToolCall("count", {"input": ""})).output == "1"
    result = registry.execute(ToolCall("crash", {"input": ""}))
    assert result.tool_name == "crash"
    assert "unreachable" in (result.error or "")
    assert result.duration_ms is not None
    assert result.duration_ms > 0


def test_a_trap_costs_no_other_plugin_its_state(load: Load) -> None:
    stateful = load("stateful")
    registry = registry_of(load("traps"), stateful)
    for number, tool in enumerate(load("traps").tools, 1):
        assert not registry.execute(ToolCall(tool.name, {"input": ""})).success
        assert registry.execute(ToolCall("count", {"input": ""})).output == str(number)


def test_two_tools_of_a_plugin_share_a_name(load: Load) -> None:
    registry = ToolRegistry()
    with pytest.raises(DuplicateToolError) as raised:
        load("duplicate_tools").register_into_registry(registry)
    assert raised.value.tool == "echo"
    assert len(registry) == 0


def test_a_name_that_is_taken(load: Load) -> None:
    registry = registry_of(load("echo"))
    with pytest.raises(DuplicateToolError):
        load("limited_memory").register_into_registry(registry)
    load("limited_memory").register_into_registry(registry, prefix="limited.")
    assert list(registry) == ["echo", "limited.echo"]
    result = registry.execute(ToolCall("limited.echo", {"input": "x"}))
    assert (result.tool_name, result.output) == ("limited.echo", "x")


def test_a_prefix_is_taken_as_it_is(load: Load) -> None:
    registry = ToolRegistry()
    load("hello").register_into_registry(registry, prefix="my_")
    assert list(registry) == ["my_greet"]
    assert registry.definitions()[0].name == "my_greet"
    with pytest.raises(ToolNotFoundError):
        registry.execute(ToolCall("greet"))


@pytest.mark.parametrize(
    "schema",
    [
        "{\\22type\\22:5}",
        "{\\22type\\22:\\22no such type\\22}",
        "{\\22pattern\\22:\\22(\\22}",
        "{\\22$ref\\22:\\22http://127.0.0.1:9/schema.json\\22}",
        "{\\22$ref\\22:\\22file:///etc/passwd\\22}",
    ],
)
def test_a_schema_that_is_none(load: Load, wat: Wat, plugin_text: Text, schema: str) -> None:
    """The plugin can be loaded and called, but not registered; and nothing is fetched."""
    extra = f"""(data (i32.const 900) "{schema}\\00")
      (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 900)"""
    plugin = load(wat(plugin_text(extra=extra)))
    assert plugin.execute_tool(0, "x") == "x"
    registry = ToolRegistry()
    with pytest.raises(InvalidArgumentsError) as raised:
        plugin.register_into_registry(registry)
    assert raised.value.tool == "tool"
    assert "JSON Schema" in raised.value.details
    assert len(registry) == 0


def test_a_schema_of_no_object(load: Load, wat: Wat, plugin_text: Text) -> None:
    """Arguments are an object with any schema."""
    extra = """(data (i32.const 900) "{\\22type\\22:\\22array\\22}\\00")
      (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 900)"""
    registry = registry_of(load(wat(plugin_text(extra=extra))))
    result = registry.execute(ToolCall("tool", [1, 2]))  # type: ignore[arg-type]
    assert result.success is False


def test_calls_in_a_thread(load: Load) -> None:
    """The event loop continues while a plugin runs."""
    seen: list[int] = []
    plugin = load("imports_host", {"env": {"log": lambda _: seen.append(threading.get_ident())}})
    registry = registry_of(plugin, load("stateful"))

    async def several() -> list[str]:
        calls = [registry.execute_async(ToolCall("count", {"input": ""})) for _ in range(5)]
        calls.append(registry.execute_async(ToolCall("greet", {"input": ""})))
        return [result.output for result in await asyncio.gather(*calls)]

    outputs = asyncio.run(several())
    assert sorted(outputs) == ["1", "2", "3", "4", "5", "logged"]
    assert seen
    assert threading.get_ident() not in seen


def test_calls_in_line_where_there_are_no_threads(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    plugin = load("imports_host", {"env": {"log": lambda _: seen.append(threading.get_ident())}})
    registry = registry_of(plugin)
    for platform in ("emscripten", "wasi"):
        with monkeypatch.context() as patch:
            patch.setattr("sys.platform", platform)
            result = asyncio.run(registry.execute_async(ToolCall("greet", {"input": ""})))
        assert result.output == "logged"
        assert result.duration_ms is not None
    assert seen == [threading.get_ident()] * 2


@pytest.mark.parametrize("text", ["[" * 60_000, '{"const":' * 6_000])
def test_a_schema_nested_too_deep(load: Load, wat: Wat, plugin_text: Text, text: str) -> None:
    """Read without looking at that first, it would end Pyodide."""
    escaped = text.replace('"', "\\22")
    extra = f"""(data (i32.const 1000) "{escaped}\\00")
      (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 1000)"""
    with pytest.raises(ToolExecutionError, match="not JSON: nested too deep") as raised:
        load(wat(plugin_text(extra=extra)))
    assert raised.value.tool == "plugin_tool_schema"
