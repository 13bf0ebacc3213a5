"""The tool registry by itself, with tools that are Python."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import (
    CancellableTool,
    Cancellation,
    DuplicateToolError,
    InvalidArgumentsError,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolNotFoundError,
    ToolRegistry,
    ToolResult,
)

OBJECT: dict[str, Any] = {"type": "object"}
#: The same as it is sent: OpenAI demands `properties`.
SENT: dict[str, Any] = {"type": "object", "properties": {}}


class Tool:
    """A tool that records what it is given."""

    def __init__(
        self,
        name: str = "tool",
        parameters: Mapping[str, Any] = OBJECT,
        error: Exception | None = None,
    ) -> None:
        self.definition = ToolDefinition(name, f"What {name} does", parameters)
        self.error = error
        self.given: list[Any] = []

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        self.given.append(arguments)
        if self.error is not None:
            raise self.error
        return ToolResult(self.definition.name, success=True, output=str(arguments))


def registry_of(*tools: ToolImpl) -> ToolRegistry:
    registry = ToolRegistry()
    for tool in tools:
        registry.register(tool)
    return registry


# What the records are.


def test_definition() -> None:
    definition = ToolDefinition(
        "name",
        "description",
        OBJECT,
        requires_approval=True,
        category=ToolCategory.SHELL,
        annotations={"readOnlyHint": True},
    )
    assert definition.to_openai_tool() == {
        "type": "function",
        "function": {"name": "name", "description": "description", "parameters": SENT},
    }
    assert definition.to_dict() == {
        "name": "name",
        "description": "description",
        "parameters": OBJECT,
        "requires_approval": True,
        "category": "shell",
        "annotations": {"readOnlyHint": True},
        "output_schema": None,
    }
    assert json.loads(json.dumps(definition.to_dict())) == definition.to_dict()
    default = ToolDefinition("name", "description", OBJECT)
    assert (default.requires_approval, default.category) == (False, ToolCategory.GENERAL)
    with pytest.raises(AttributeError):
        default.name = "other"  # type: ignore[misc]


def test_definition_hands_out_copies() -> None:
    definition = ToolDefinition("name", "description", {"type": "object"})
    definition.to_dict()["parameters"]["type"] = "array"
    definition.to_openai_tool()["function"]["parameters"]["type"] = "array"
    assert definition.parameters == {"type": "object"}


def test_categories() -> None:
    assert [category.value for category in ToolCategory] == [
        "general",
        "shell",
        "file_system",
        "network",
        "code_analysis",
        "web_search",
        "mcp",
        "browser",
    ]
    assert str(ToolCategory.FILE_SYSTEM) == "file_system"


def test_call_and_result() -> None:
    call = ToolCall("name")
    assert (call.arguments, call.id) == ({}, None)
    assert ToolCall("name", {"a": 1}, "call-1").id == "call-1"
    result = ToolResult("name", True, "output")
    assert (result.error, result.exit_code, result.duration_ms) == (None, None, None)


def test_protocol() -> None:
    assert isinstance(Tool(), ToolImpl)
    assert not isinstance(object(), ToolImpl)


# Registering.


def test_order_of_registration() -> None:
    registry = registry_of(Tool("b"), Tool("a"), Tool("c"))
    assert list(registry) == ["b", "a", "c"]
    assert [definition.name for definition in registry.definitions()] == ["b", "a", "c"]
    assert [tool["function"]["name"] for tool in registry.to_openai_tools()] == ["b", "a", "c"]
    assert len(registry) == 3
    assert "a" in registry
    assert "d" not in registry


def test_an_empty_registry() -> None:
    registry = ToolRegistry()
    assert (len(registry), list(registry), registry.definitions()) == (0, [], [])
    assert registry.to_openai_tools() == []
    assert registry.get("x") is None
    assert registry.unregister("x") is False
    with pytest.raises(ToolNotFoundError) as raised:
        registry.execute(ToolCall("x"))
    assert raised.value.known == ()


def test_a_second_tool_of_a_name() -> None:
    first, second = Tool("name"), Tool("name")
    registry = registry_of(Tool("before"), first, Tool("after"))
    with pytest.raises(DuplicateToolError) as raised:
        registry.register(second)
    assert raised.value.tool == "name"
    assert registry.get("name") is first
    registry.register(second, replace=True)
    assert registry.get("name") is second
    assert list(registry) == ["before", "name", "after"]
    registry.execute(ToolCall("name"))
    assert (first.given, second.given) == ([], [{}])


def test_a_replaced_tool_brings_its_own_schema() -> None:
    registry = registry_of(Tool("name", {"type": "object", "required": ["a"]}))
    registry.register(Tool("name", {"type": "object", "required": ["b"]}), replace=True)
    registry.execute(ToolCall("name", {"b": 1}))
    with pytest.raises(InvalidArgumentsError):
        registry.execute(ToolCall("name", {"a": 1}))


def test_several_or_none() -> None:
    registry = registry_of(Tool("taken"))
    for tools in (
        [Tool("a"), Tool("taken")],
        [Tool("a"), Tool("a")],
        [Tool("a"), Tool("b", {"type": 5})],
    ):
        with pytest.raises((DuplicateToolError, InvalidArgumentsError)):
            registry.register_all(tools)
        assert list(registry) == ["taken"]
    with pytest.raises(DuplicateToolError):
        registry.register_all([Tool("a"), Tool("a")], replace=True)
    registry.register_all([Tool("a"), Tool("taken")], replace=True)
    assert list(registry) == ["taken", "a"]


@pytest.mark.parametrize("replace", [False, True])
def test_threads_that_register_at_the_same_time(replace: bool) -> None:
    registry = registry_of(Tool("old"))
    other = threading.Thread(target=lambda: registry.register(Tool("other")))

    class Slow(Tool):
        """A tool in the middle of whose registration another thread registers one."""

        def __getattribute__(self, name: str) -> Any:
            if name == "definition" and other.ident is None:
                other.start()
                other.join(0.1)
            return super().__getattribute__(name)

    slow = Slow.__new__(Slow)
    vars(slow)["definition"] = ToolDefinition("slow", "", OBJECT)
    if replace:
        registry.exchange(["old"], [slow])
    else:
        registry.register(slow)
    other.join()
    assert {*registry} == {"slow", "other"} | ({"old"} - {"old" if replace else ""})


def test_unregister() -> None:
    registry = registry_of(Tool("a"), Tool("b"))
    assert registry.unregister("a") is True
    assert registry.unregister("a") is False
    assert list(registry) == ["b"]
    registry.register(Tool("a"))
    assert list(registry) == ["b", "a"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"type": 5},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"$ref": "#/definitions/missing"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "https://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "ftp://127.0.0.1/x"},
        {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json#/a"}}},
        {"$id": "http://127.0.0.1:9/a", "$ref": "other.json"},
        {"properties": 5},
        {"required": 5},
        {"enum": 5},
        {"allOf": 5},
    ],
)
def test_what_is_no_schema(schema: dict[str, Any]) -> None:
    """No other document is fetched, whatever its scheme."""
    registry = ToolRegistry()
    with pytest.raises(InvalidArgumentsError, match="JSON Schema is invalid") as raised:
        registry.register(Tool("name", schema))
    assert raised.value.tool == "name"
    assert len(registry) == 0


# Arguments.

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1},
        "count": {"type": "integer", "minimum": 0, "default": 3},
        "kind": {"enum": ["a", "b"]},
        "more": {"type": "array", "items": {"$ref": "#/definitions/item"}},
    },
    "definitions": {"item": {"type": "object", "required": ["id"]}},
    "required": ["text"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x"},
        {"text": "x", "count": 0, "kind": "a"},
        {"text": "größe", "more": [{"id": 1}, {"id": None, "x": 2}]},
        {"text": "x", "count": 5.0},
    ],
)
def test_arguments_that_fit(arguments: dict[str, Any]) -> None:
    tool = Tool("name", SCHEMA)
    result = registry_of(tool).execute(ToolCall("name", arguments))
    assert result.success
    assert tool.given == [arguments]
    assert tool.given[0] is arguments, "no default was put in"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": None}, "text"),
        ({"text": "x", "count": -1}, "count"),
        ({"text": "x", "count": "1"}, "count"),
        ({"text": "x", "kind": "c"}, "kind"),
        ({"text": "x", "more": [{}]}, "id"),
        ({"text": "x", "unknown": 1}, "unknown"),
        (None, "object"),
        ([], "object"),
        ("text", "object"),
        (5, "object"),
    ],
)
def test_arguments_that_do_not_fit(arguments: Any, message: str) -> None:
    tool = Tool("name", SCHEMA)
    with pytest.raises(InvalidArgumentsError) as raised:
        registry_of(tool).execute(ToolCall("name", arguments))
    assert raised.value.tool == "name"
    assert message in raised.value.details
    assert raised.value.details.startswith("arguments")
    assert tool.given == []


def test_a_schema_that_refers_to_itself() -> None:
    schema = {
        "type": "object",
        "properties": {"child": {"$ref": "#"}, "id": {"type": "integer"}},
    }
    registry = registry_of(Tool("name", schema))
    assert registry.execute(ToolCall("name", {"id": 1, "child": {"id": 2}})).success
    with pytest.raises(InvalidArgumentsError):
        registry.execute(ToolCall("name", {"child": {"child": {"id": "x"}}}))


def test_arguments_nested_too_deep() -> None:
    """Deeper than Python can follow: an error of ours, and not a RecursionError."""
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    arguments: dict[str, Any] = {}
    for _ in range(100_000):
        arguments = {"child": arguments}
    tool = Tool("name", schema)
    with pytest.raises(InvalidArgumentsError):
        registry_of(tool).execute(ToolCall("name", arguments))
    assert tool.given == []


def test_a_schema_that_never_ends() -> None:
    """`$ref` to itself, at no smaller a value."""
    registry = ToolRegistry()
    tool = Tool("name", {"allOf": [{"$ref": "#"}]})
    registry.register(tool)
    with pytest.raises(InvalidArgumentsError, match="nested too deep"):
        registry.execute(ToolCall("name", {}))
    assert tool.given == []


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"a": {"multipleOf": 0}}}, {"a": 1}),
        ({"patternProperties": {"^a": {}}}, {1: 2}),
        ({"properties": {"a": {"multipleOf": 0.1}}}, {"a": float("inf")}),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 1000 + "!"}),
        ({"propertyNames": {"pattern": "^(a|a)*$"}}, {"a" * 1000 + "!": 1}),
    ],
)
def test_arguments_that_are_hard_to_check(schema: dict[str, Any], arguments: Any) -> None:
    tool = Tool("name", schema)
    registry = registry_of(tool)
    with pytest.raises(InvalidArgumentsError):
        registry.execute(ToolCall("name", arguments))
    assert tool.given == []


hostile = st.text("ab\"'\\{}()\n\r\0%#$;:= é\ud800", max_size=12)


@given(hostile, hostile, hostile)
def test_a_schema_cannot_inject_code(name: str, key: str, value: str) -> None:
    """Whatever strings a schema has, they are strings."""
    schema = {
        "title": name,
        "type": "object",
        "properties": {key: {"const": value}},
        "required": [key],
        "dependencies": {key: [value]},
        "enum": [{key: value}, {key: value, value: 1}],
        "definitions": {name: {"type": "string"}},
        "patternProperties": {"^" + re_escape(name) + "$": {}},
    }
    registry = ToolRegistry()
    tool = Tool(name, schema)
    try:
        registry.register(tool)
    except InvalidArgumentsError:
        return
    try:
        registry.execute(ToolCall(name, {key: value, value: 1}))
    except InvalidArgumentsError:
        return
    assert tool.given == [{key: value, value: 1}]


def re_escape(text: str) -> str:
    """Nothing but the characters of the text, whatever they mean to `re`."""
    return "".join(f"\\x{ord(c):02x}" if ord(c) < 256 else c for c in text)


# Executing.


def test_execute() -> None:
    registry = registry_of(Tool("name"))
    result = registry.execute(ToolCall("name", {"a": 1}))
    assert (result.tool_name, result.success, result.output) == ("name", True, "{'a': 1}")
    assert result.duration_ms is not None
    assert 0 <= result.duration_ms < 10_000


def test_duration_is_in_milliseconds() -> None:
    class Slow(Tool):
        def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
            time.sleep(0.03)
            return ToolResult("name", True, "", duration_ms=1e9)

    result = registry_of(Slow("name")).execute(ToolCall("name"))
    assert result.duration_ms is not None
    assert 30 <= result.duration_ms < 10_000


def test_unknown_tool() -> None:
    registry = registry_of(Tool("a"), Tool("b"))
    with pytest.raises(ToolNotFoundError) as raised:
        registry.execute(ToolCall("c"))
    assert raised.value.tool == "c"
    assert raised.value.known == ("a", "b")
    with pytest.raises(ToolNotFoundError):
        asyncio.run(registry.execute_async(ToolCall("c")))


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyError("a"), RecursionError("deep")])
def test_a_tool_that_raises_has_failed(error: Exception) -> None:
    registry = registry_of(Tool("name", error=error), Tool("other"))
    result = registry.execute(ToolCall("name"))
    assert (result.tool_name, result.success, result.output) == ("name", False, "")
    assert result.error == f"{type(error).__name__}: {error}"
    assert result.duration_ms is not None
    assert registry.execute(ToolCall("other")).success


def test_async_runs_in_a_thread() -> None:
    seen: list[int] = []

    class Threaded(Tool):
        def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
            seen.append(threading.get_ident())
            return super().execute(arguments)

    registry = registry_of(Threaded("name"))
    result = asyncio.run(registry.execute_async(ToolCall("name", {"a": 1})))
    assert result.success
    assert result.duration_ms is not None
    assert seen != [threading.get_ident()]


@pytest.mark.parametrize("platform", ["emscripten", "wasi"])
def test_async_runs_in_line_where_there_are_no_threads(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Threaded(Tool):
        def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
            seen.append(threading.get_ident())
            return super().execute(arguments)

    registry = registry_of(Threaded("name"))

    async def call() -> ToolResult:
        with monkeypatch.context() as patch:
            patch.setattr("sys.platform", platform)
            return await registry.execute_async(ToolCall("name"))

    assert asyncio.run(call()).duration_ms is not None
    assert seen == [threading.get_ident()]


def test_cancelling_a_task_ends_a_tool_that_can_be_ended() -> None:
    ended: list[bool] = []

    class Patient(Tool):
        def execute_cancellable(
            self, arguments: Mapping[str, Any], cancellation: Cancellation | None
        ) -> ToolResult:
            assert cancellation is not None
            requested = threading.Event()
            cancellation.on_request(requested.set)
            ended.append(requested.wait(timeout=20))
            return self.execute(arguments)

    tool = Patient("name")
    assert isinstance(tool, CancellableTool)
    assert not isinstance(Tool("name"), CancellableTool)
    registry = registry_of(tool)

    async def impatient() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(registry.execute_async(ToolCall("name")), timeout=0.05)

    # It ends when its threads have ended.
    asyncio.run(impatient())
    assert ended == [True]


def test_a_cancellation_that_was_requested_before() -> None:
    calls: list[int] = []
    cancellation = Cancellation()
    assert not cancellation.requested
    cancellation.request()
    cancellation.on_request(lambda: calls.append(1))
    assert cancellation.requested
    assert calls == [1]


def test_async_validates_first() -> None:
    tool = Tool("name", SCHEMA)
    with pytest.raises(InvalidArgumentsError):
        asyncio.run(registry_of(tool).execute_async(ToolCall("name", {})))
    assert tool.given == []


def test_tools_in_the_place_of_others() -> None:
    registry = registry_of(Tool("a"), Tool("b"), Tool("c"), Tool("d"))
    new = Tool("c")
    registry.exchange(["b", "c"], [Tool("e"), new])
    assert list(registry) == ["a", "c", "d", "e"]
    assert registry.get("c") is new
    assert registry.execute(ToolCall("c")).success
    registry.exchange(["e", "gone"], [])
    assert list(registry) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("tools", "error"),
    [
        ([Tool("new"), Tool("d")], DuplicateToolError),
        ([Tool("new"), Tool("new")], DuplicateToolError),
        ([Tool("new"), Tool("bad", {"type": 5})], InvalidArgumentsError),
    ],
)
def test_tools_that_cannot_take_the_place(tools: list[Tool], error: type[Exception]) -> None:
    registry = registry_of(Tool("a"), Tool("d"))
    with pytest.raises(error):
        registry.exchange(["a"], tools)
    assert list(registry) == ["a", "d"]


def test_a_registry_may_change_while_it_is_iterated() -> None:
    registry = registry_of(Tool("a"), Tool("b"))
    for name in registry:
        registry.exchange([name], [Tool(f"new_{name}")])
    assert list(registry) == ["new_a", "new_b"]
