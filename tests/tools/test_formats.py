"""The formats of tools for agents: lists of tools, calls, and messages with results."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import (
    Cancellation,
    InvalidArgumentsError,
    ToolCall,
    ToolDefinition,
    ToolFormatError,
    ToolNotFoundError,
    ToolRegistry,
    ToolResult,
    WasmPlugin,
    example,
)
from purewasm_plugins.tools.formats import FORMATS, ToolFormat
from tests.tools import vendors

TEXT = {"type": "string"}
SCHEMA = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
UNION = {"anyOf": [SCHEMA, {"type": "object", "properties": {"größe": {"type": "integer"}}}]}


class Tool:
    """A tool that answers with its arguments, and fails where one of them says so."""

    def __init__(self, name: str = "echo", schema: Mapping[str, Any] = SCHEMA) -> None:
        self.definition = ToolDefinition(name, "What it does", schema)

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        if arguments.get("a") == "fail":
            return ToolResult(self.definition.name, False, "", "it is broken")
        text = json.dumps(dict(arguments), ensure_ascii=False)
        return ToolResult(self.definition.name, True, text)


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> ToolFormat:
    registry = ToolRegistry()
    registry.register_all([Tool(), Tool("json.echo"), Tool("union", UNION), Tool("x" * 89)])
    return FORMATS[request.param](registry)


def reply(form: str, *calls: tuple[str, Any]) -> Any:
    """Return a model's message with calls, as the API of a format gives it."""
    match form:
        case "openai":
            listed = [
                {
                    "type": "function",
                    "id": f"call_{index}",
                    "function": {"name": name, "arguments": text(arguments)},
                }
                for index, (name, arguments) in enumerate(calls)
            ]
            return {"role": "assistant", "content": None, "tool_calls": listed}
        case "openai-responses":
            listed = [
                {
                    "type": "function_call",
                    "id": f"fc_{index}",
                    "call_id": f"call_{index}",
                    "name": name,
                    "arguments": text(arguments),
                }
                for index, (name, arguments) in enumerate(calls)
            ]
            return {"output": [{"type": "reasoning", "summary": []}, *listed]}
        case "anthropic":
            listed = [
                {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": arguments}
                for index, (name, arguments) in enumerate(calls)
            ]
            return {"role": "assistant", "content": [{"type": "text", "text": "Now"}, *listed]}
        case "gemini":
            listed = [
                {"functionCall": {"name": name, "args": arguments}} for name, arguments in calls
            ]
            return {"role": "model", "parts": [{"text": "Now"}, *listed]}
        case "ollama":
            listed = [
                {"function": {"name": name, "arguments": arguments}} for name, arguments in calls
            ]
            return {"role": "assistant", "content": "", "tool_calls": listed}
    ((name, arguments),) = calls
    return {"method": "tools/call", "params": {"name": name, "arguments": arguments}}


def text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def objects(value: Any) -> Any:
    """Return JSON as the objects of a vendor's package: fields are attributes."""
    if isinstance(value, dict):
        # Arguments are mappings there, too.
        as_they_are = ("input", "args", "arguments")
        fields = {k: v if k in as_they_are else objects(v) for k, v in value.items()}
        return SimpleNamespace(
            **{k.replace("functionCall", "function_call"): fields[k] for k in fields}
        )
    return [objects(item) for item in value] if isinstance(value, list) else value


# The list of tools.

LISTS: dict[str, Any] = {
    "openai": [
        {
            "type": "function",
            "function": {"name": "echo", "description": "What it does", "parameters": SCHEMA},
        }
    ],
    "openai-responses": [
        {
            "type": "function",
            "name": "echo",
            "description": "What it does",
            "parameters": SCHEMA,
            "strict": False,
        }
    ],
    "anthropic": [{"name": "echo", "description": "What it does", "input_schema": SCHEMA}],
    "gemini": [
        {
            "functionDeclarations": [
                {"name": "echo", "description": "What it does", "parametersJsonSchema": SCHEMA}
            ]
        }
    ],
    "mcp": [{"name": "echo", "description": "What it does", "inputSchema": SCHEMA}],
}
LISTS["ollama"] = LISTS["openai"]


def test_the_list_of_tools(form: ToolFormat) -> None:
    assert form.tools(["echo"]) == LISTS[form.name]
    assert form.tools([]) == []
    vendors.check(form.name, form.tools())
    with pytest.raises(ToolNotFoundError):
        form.tools(["ecco"])


def test_the_list_follows_the_registry(form: ToolFormat) -> None:
    form.registry.unregister("echo")
    assert '"echo"' not in json.dumps(form.tools())


def test_a_list_while_the_registry_changes() -> None:
    class Changing(ToolRegistry):
        """A registry that another thread changes while its names are read."""

        def __iter__(self) -> Iterator[str]:
            names = [*super().__iter__()]
            self.unregister("echo")
            return iter(names)

    registry = Changing()
    registry.register_all([Tool(), Tool("other")])
    assert len(FORMATS["mcp"](registry).tools()) == 2


def test_openai_and_the_registry_agree() -> None:
    registry = ToolRegistry()
    registry.register_all([Tool("json.echo"), Tool("union", UNION)])
    openai = FORMATS["openai"](registry)
    assert registry.to_openai_tools() == openai.tools()
    definition = Tool("json.echo").definition
    assert definition.to_openai_tool() == openai.tool(definition) == openai.tools()[0]


@pytest.mark.parametrize("name", ["openai", "openai-responses"])
def test_more_tools_than_the_api_has(name: str) -> None:
    registry = ToolRegistry()
    registry.register_all(Tool(f"tool{index}") for index in range(129))
    form = FORMATS[name](registry)
    with pytest.raises(ToolFormatError, match="128 tools at most, not 129"):
        form.tools()
    assert len(form.tools([f"tool{index}" for index in range(128)])) == 128


@given(st.lists(st.text(max_size=100), unique=True, max_size=8))
def test_names_are_accepted_differ_and_lead_back(names: list[str]) -> None:
    registry = ToolRegistry()
    registry.register_all(Tool(name) for name in names)
    for key, form in FORMATS.items():
        listed = form(registry).tools()
        vendors.check(key, listed)
        if key == "anthropic":
            sent = [tool["name"] for tool in listed]
            assert [registry.execute(ToolCall(name, {"a": ""})).tool_name for name in sent] == names


# Calls.


def test_calls(form: ToolFormat) -> None:
    for message in (
        reply(form.name, ("echo", {"a": "größe"})),
        objects(reply(form.name, ("echo", {"a": "größe"}))),
    ):
        (call,) = form.calls(message)
        assert (call.name, call.arguments, call.problem) == ("echo", {"a": "größe"}, None)


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("openai", ["call_0", "call_1"]),
        ("openai-responses", ["call_0", "call_1"]),
        ("anthropic", ["toolu_0", "toolu_1"]),
        ("gemini", [None, None]),
        ("ollama", [None, None]),
    ],
)
def test_several_calls_have_their_ids(name: str, ids: list[str | None]) -> None:
    form = FORMATS[name](ToolRegistry())
    calls = form.calls(reply(name, ("a", {}), ("b", {})))
    assert [(call.name, call.id) for call in calls] == list(zip("ab", ids, strict=True))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openai", {"role": "assistant", "content": "Done"}),
        ("openai", {"tool_calls": [{"type": "custom", "id": "1", "custom": {"name": "x"}}]}),
        ("openai-responses", [{"type": "message", "content": []}]),
        ("anthropic", {"content": "Done"}),
        ("anthropic", {"content": [{"type": "text", "text": "Done"}]}),
        ("gemini", {"parts": [{"text": "Done"}]}),
        ("gemini", {}),
        ("ollama", {"role": "assistant", "content": "Done"}),
    ],
)
def test_a_message_without_calls(name: str, message: Any) -> None:
    form = FORMATS[name](ToolRegistry())
    assert form.calls(message) == []
    assert form.answer(message) == []


@pytest.mark.parametrize(
    ("name", "message", "words"),
    [
        ("openai", {"tool_calls": 5}, "'tool_calls' must be an array, not int"),
        ("openai", {"tool_calls": [{"function": {}}]}, "name of a tool must be a string, not None"),
        ("openai", {"tool_calls": [{"id": 1, "function": {"name": "x"}}]}, "id of a call"),
        ("openai-responses", {"output": "x"}, "'output' must be an array, not str"),
        ("anthropic", {"content": {}}, "'content' must be an array, not dict"),
        ("gemini", {"parts": 1}, "'parts' must be an array"),
        ("ollama", {"tool_calls": {"a": 1}}, "'tool_calls' must be an array"),
        ("mcp", {}, "name of a tool must be a string"),
        ("mcp", {"params": 5}, "name of a tool must be a string"),
    ],
)
def test_what_is_no_message(name: str, message: Any, words: str) -> None:
    form = FORMATS[name](ToolRegistry())
    with pytest.raises(ToolFormatError, match=words) as raised:
        form.answer(message)
    assert raised.value.format == name


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", None),
        ("  ", None),
        (None, None),
        ("{}", None),
        ('{"a": ', "the arguments are not JSON"),
        ("a", "the arguments are not JSON"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": 1e999}', "not JSON"),
        ('{"a":' * 10_000, "nested too deep"),
        ("[" * 100_000, "nested too deep"),
        ("9" * 5_000, "not JSON"),
        ("[1]", "must be a JSON object, not list"),
        ('"a"', "must be a JSON object, not str"),
        (5, "must be a JSON object, not int"),
    ],
)
@pytest.mark.parametrize("name", ["openai", "ollama"])
def test_arguments_that_cannot_be_read(name: str, arguments: Any, problem: str | None) -> None:
    registry = ToolRegistry()
    registry.register(Tool())
    message = {"tool_calls": [{"id": "1", "function": {"name": "echo", "arguments": arguments}}]}
    (call,) = FORMATS[name](registry).calls(message)
    assert call.arguments == {}
    if problem is None:
        assert call.problem is None
        return
    assert problem in str(call.problem)
    with pytest.raises(InvalidArgumentsError) as raised:
        registry.execute(call)
    assert raised.value.details == call.problem
    (answer,) = FORMATS[name](registry).answer(message)
    assert answer["content"].startswith("Error: Invalid arguments for tool 'echo': the arguments")


@pytest.mark.parametrize("given", [{"größe": 5}, {"a": "x"}])
def test_arguments_of_a_schema_that_cannot_be_at_the_root(
    form: ToolFormat, given: dict[str, Any]
) -> None:
    wrapped = {"arguments": given}
    sent = given if form.name == "mcp" else wrapped
    (call,) = form.calls(reply(form.name, ("union", sent)))
    assert (call.arguments, call.problem) == (given, None)
    if form.name != "mcp":
        # What models do, too: they leave it out, or write it as text.
        assert form.calls(reply(form.name, ("union", given)))[0].arguments == given
        textual = {"arguments": json.dumps(given)}
        assert form.calls(reply(form.name, ("union", textual)))[0].arguments == given
        more = {"arguments": given, "b": 1}
        assert form.calls(reply(form.name, ("union", more)))[0].arguments == more
        (call,) = form.calls(reply(form.name, ("union", {"arguments": [1]})))
        assert call.problem == "the arguments must be a JSON object, not list"


# Results.


def sent_back(form: ToolFormat, arguments: Any, name: str = "echo") -> tuple[str, Any]:
    """Return the text that the model gets, and the message around it with "TEXT" in its place."""
    (message,) = form.answer(reply(form.name, (name, arguments)))
    shown = json.dumps(message, ensure_ascii=False)
    assert json.loads(shown) == message
    match form.name:
        case "openai" | "ollama":
            found = message["content"]
            return found, message | {"content": "TEXT"}
        case "openai-responses":
            return message["output"], message | {"output": "TEXT"}
        case "anthropic":
            (block,) = message["content"]
            return block["content"], message | {"content": [block | {"content": "TEXT"}]}
        case "gemini":
            (part,) = message["parts"]
            ((key, found),) = part["functionResponse"]["response"].items()
            return found, {
                "role": message["role"],
                "parts": [{"functionResponse": part["functionResponse"] | {"response": key}}],
            }
    ((block),) = message["content"]
    return block["text"], message | {"content": [block | {"text": "TEXT"}]}


def messages(success: bool) -> dict[str, Any]:
    return {
        "openai": {"role": "tool", "tool_call_id": "call_0", "content": "TEXT"},
        "openai-responses": {
            "type": "function_call_output",
            "call_id": "call_0",
            "output": "TEXT",
        },
        "anthropic": {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_0",
                    "content": "TEXT",
                    "is_error": not success,
                }
            ],
        },
        "gemini": {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "name": "echo",
                        "response": "output" if success else "error",
                    }
                }
            ],
        },
        "ollama": {"role": "tool", "tool_name": "echo", "content": "TEXT"},
        "mcp": {"content": [{"type": "text", "text": "TEXT"}], "isError": not success},
    }


def test_a_result(form: ToolFormat) -> None:
    assert sent_back(form, {"a": "ö"}) == ('{"a": "ö"}', messages(True)[form.name])


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("echo", {"a": "fail"}, "it is broken"),
        ("echo", {"b": 1}, "Invalid arguments for tool 'echo': arguments must have ['a']"),
        ("ecco", {}, "Tool 'ecco' not found; did you mean 'echo'?"),
        ("json.ekko", {}, "not found (there are: echo, json_echo_"),
    ],
)
def test_a_failure_is_a_result(form: ToolFormat, name: str, arguments: Any, words: str) -> None:
    """In words that the model can act on; tools have the names that the model knows."""
    found, message = sent_back(form, arguments, name)
    assert words in found
    assert ("Error: " in found) == (form.name in ("openai", "openai-responses", "ollama"))
    expected = json.dumps(messages(False)[form.name]).replace('"echo"', f'"{name}"')
    assert message == json.loads(expected)


def test_ids_of_gemini_and_ollama_return_where_they_are_given() -> None:
    call, result = ToolCall("x", id="1"), ToolResult("x", True, "done")
    (content,) = FORMATS["gemini"](ToolRegistry()).messages([(call, result)])
    assert content["parts"][0]["functionResponse"]["id"] == "1"
    (message,) = FORMATS["ollama"](ToolRegistry()).messages([(call, result)])
    assert message["tool_call_id"] == "1"


def test_an_output_and_a_failure_are_both_sent() -> None:
    result = ToolResult("x", False, "half of it\ud800", None)
    (message,) = FORMATS["mcp"](ToolRegistry()).messages([(ToolCall("x"), result)])
    assert message["content"][0]["text"] == "the tool failed\nhalf of it?"


def test_calls_run_at_the_same_time_and_answers_keep_their_order() -> None:
    arrived = asyncio.Event()

    class Registry(ToolRegistry):
        async def execute_async(self, call: ToolCall) -> ToolResult:
            if call.name == "slow":
                await arrived.wait()
            elif call.name == "quick":
                arrived.set()
            else:
                raise ToolNotFoundError(call.name)
            return ToolResult(call.name, True, call.name)

    form = FORMATS["anthropic"](Registry())
    message = reply("anthropic", ("slow", {}), ("quick", {}), ("none", {}))
    (answer,) = asyncio.run(asyncio.wait_for(form.answer_async(message), 10))
    assert [(block["content"], block["is_error"]) for block in answer["content"]] == [
        ("slow", False),
        ("quick", False),
        ("Tool 'none' not found", True),
    ]


def test_cancelling_an_answer_ends_its_calls() -> None:
    ended: list[str] = []

    class Waiting(Tool):
        def execute_cancellable(
            self, arguments: Mapping[str, Any], cancellation: Cancellation | None
        ) -> ToolResult:
            assert cancellation is not None
            requested = threading.Event()
            cancellation.on_request(requested.set)
            started.release()
            if requested.wait(10):
                ended.append(arguments["a"])
            return ToolResult("wait", False, "", "cancelled")

    started = threading.Semaphore(0)
    registry = ToolRegistry()
    registry.register(Waiting("wait"))

    async def cancel() -> None:
        message = reply("gemini", ("wait", {"a": "1"}), ("wait", {"a": "2"}))
        task = asyncio.create_task(FORMATS["gemini"](registry).answer_async(message))
        for _ in range(2):
            await asyncio.to_thread(started.acquire)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # It waits for its threads.
    asyncio.run(cancel())
    assert sorted(ended) == ["1", "2"]


# An agent.


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "mcp"])
def test_an_agent_comes_to_its_answer(name: str) -> None:
    """The model's arguments are no JSON, its names wrong, its arguments wrong, and then right."""
    registry = ToolRegistry()
    registry.register(Tool("json.echo"))
    WasmPlugin.load(example("zig_text")).register_into_registry(registry)
    form = FORMATS[name](registry)
    sent = form.tools()[0]
    function = sent.get("function", sent)
    tool = function.get("name") or sent["functionDeclarations"][0]["name"]
    script = iter(
        [
            reply(name, (tool, '{"a": ')),
            reply(name, ("echo", {"a": "x"})),
            reply(name, (tool, {"b": "x"})),
            reply(name, (tool, {"a": "first"}), ("sort_lines", {"text": "second"})),
            {"content": "Done"},
        ]
    )
    conversation: list[Any] = []
    while answers := form.answer(next(script)):
        conversation += answers
    shown = json.dumps(conversation).replace("\\\\", "\\").replace("\\", "")
    places = [
        shown.index(words)
        for words in ("the arguments", "not found", "must have", "first", "second")
    ]
    assert places == sorted(places)
    assert next(script, None) is None


def test_annotations_are_in_the_list_of_mcp_alone() -> None:
    hints = {"readOnlyHint": True, "openWorldHint": False}
    definition = ToolDefinition("a", "A tool", {"type": "object"}, annotations=hints)
    for name, form in FORMATS.items():
        entry = form(ToolRegistry()).tool(definition)
        assert entry.get("annotations") == (hints if name == "mcp" else None)
