"""Lists, calls and messages against the types of the vendors' packages.

The packages are heavy: each test is skipped where its package is not installed. The rules that are
written down in `vendors.py` are always checked.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from purewasm_plugins import ToolRegistry
from purewasm_plugins.tools.formats import FORMATS, ToolFormat
from tests.tools.test_formats import UNION, Tool, reply
from tests.tools.test_frameworks import CHAPTER

RICH = {
    "type": "object",
    "properties": {
        "größe": {"type": ["integer", "null"], "minimum": 0},
        "kind": {"const": "a"},
        "any": True,
        "pair": {"items": [{"type": "string"}, {"type": "number"}], "additionalItems": False},
        "tree": {"$ref": "#/definitions/tree", "description": "A tree"},
    },
    "definitions": {
        "tree": {"type": "object", "properties": {"left": {"$ref": "#/definitions/tree"}}}
    },
    "minProperties": 1,
}


def form_of(name: str) -> ToolFormat:
    registry = ToolRegistry()
    registry.register_all([Tool(), Tool("json.echo"), Tool("union", UNION), Tool("rich", RICH)])
    return FORMATS[name](registry)


def package(name: str) -> Any:
    return pytest.importorskip(name)


def known(type_: Any, value: dict[str, Any]) -> None:
    """Check a value against a typed dictionary, or several; a dictionary must know all keys."""
    assert value.keys() <= getattr(type_, "__annotations__", value).keys()
    importlib.import_module("pydantic").TypeAdapter(type_).validate_python(value)


def completion(message: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message, "logprobs": None}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def response(output: list[Any]) -> dict[str, Any]:
    items = [item | ({"id": "rs"} if item["type"] == "reasoning" else {}) for item in output]
    return {
        "id": "x",
        "object": "response",
        "created_at": 0,
        "model": "m",
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def anthropic_message(content: list[Any]) -> dict[str, Any]:
    return {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


class Server:
    """A scripted server for a client that is built on httpx: it keeps what it is sent."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[Any] = []

    def client(self, httpx: Any) -> Any:
        def handle(request: Any) -> Any:
            self.requests.append(json.loads(request.content))
            return httpx.Response(200, json=self.answers.pop(0))

        return httpx.Client(transport=httpx.MockTransport(handle))


def httpx_of(module: Any) -> Any:
    """Return the httpx that a vendor's package is built on: there are two."""
    base = importlib.import_module(f"{module.__name__}._base_client")
    return getattr(base, "httpx2", None) or base.httpx


def test_openai() -> None:
    openai = package("openai")
    types = importlib.import_module("openai.types.chat")
    form = form_of("openai")
    for tool in form.tools():
        known(types.ChatCompletionFunctionToolParam, tool)
    calling = reply("openai", ("echo", {"a": "x"}), ("echo", '{"a": '))
    server = Server(completion(calling), completion({"role": "assistant", "content": "Done"}))
    client = openai.OpenAI(api_key="x", http_client=server.client(httpx_of(openai)))
    messages: list[Any] = [{"role": "user", "content": "Go"}]
    while True:
        answer = client.chat.completions.create(model="m", messages=messages, tools=form.tools())
        messages.append(answer.choices[0].message)
        results = form.answer(answer.choices[0].message)
        if not results:
            break
        for message in results:
            known(types.ChatCompletionToolMessageParam, message)
        messages += results
    sent = server.requests[1]["messages"][2:]
    assert [message["tool_call_id"] for message in sent] == ["call_0", "call_1"]
    assert sent[0]["content"] == '{"a": "x"}'
    assert "not JSON" in sent[1]["content"]
    assert server.requests[0]["tools"] == form.tools()


def test_openai_responses() -> None:
    openai = package("openai")
    types = importlib.import_module("openai.types.responses")
    items = importlib.import_module("openai.types.responses.response_input_item_param")
    form = form_of("openai-responses")
    for tool in form.tools():
        known(types.FunctionToolParam, tool)
    calling = reply("openai-responses", ("echo", {"a": "x"}), ("echo", "[]"))
    server = Server(response(calling["output"]), response([]))
    client = openai.OpenAI(api_key="x", http_client=server.client(httpx_of(openai)))
    first = client.responses.create(model="m", input="Go", tools=form.tools())
    results = form.answer(first)
    for item in results:
        known(items.FunctionCallOutput, item)
    second = client.responses.create(model="m", input=[*first.output, *results], tools=[])
    assert form.answer(second) == []
    assert [item["call_id"] for item in server.requests[1]["input"][-2:]] == ["call_0", "call_1"]


def test_anthropic(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the loop of the chapter."""
    anthropic = package("anthropic")
    types = importlib.import_module("anthropic.types")
    form = form_of("anthropic")
    for tool in form.tools():
        known(types.ToolParam, tool)
    calling = reply("anthropic", ("echo", {"a": "x"}), ("echo", {}))
    server = Server(
        anthropic_message(calling["content"]), anthropic_message([{"type": "text", "text": "Done"}])
    )
    client = anthropic.Anthropic(api_key="x", http_client=server.client(httpx_of(anthropic)))
    monkeypatch.setattr(anthropic, "Anthropic", lambda: client)
    (loop,) = [block.text for block in CHAPTER.blocks("py") if "import anthropic" in block.text]
    exec(loop, {"form": form, "MODEL": "m"})
    message = server.requests[1]["messages"][2]
    known(types.MessageParam, message)
    for block in message["content"]:
        known(types.ToolResultBlockParam, block)
    blocks = message["content"]
    assert [(block["tool_use_id"], block["is_error"]) for block in blocks] == [
        ("toolu_0", False),
        ("toolu_1", True),
    ]


def test_gemini() -> None:
    package("google.genai")
    types = importlib.import_module("google.genai.types")
    form = form_of("gemini")
    for tool in form.tools():
        read = types.Tool.model_validate(tool)
        assert read.model_dump(by_alias=True, exclude_none=True) == tool
    content = types.Content.model_validate(reply("gemini", ("echo", {"a": "x"}), ("echo", {})))
    (message,) = form.answer(content)
    read = types.Content.model_validate(message)
    assert [part.function_response.response for part in read.parts] == [
        {"output": '{"a": "x"}'},
        {"error": "Invalid arguments for tool 'echo': arguments must have ['a']"},
    ]
    assert read.model_dump(by_alias=True, exclude_none=True) == message


def test_ollama() -> None:
    ollama = package("ollama")
    form = form_of("ollama")
    for tool in form.tools():
        read = ollama.Tool.model_validate(tool)
        assert read.model_dump(by_alias=True, exclude_none=True) == tool, "it drops nothing"
    message = ollama.Message.model_validate(reply("ollama", ("echo", {"a": "x"}), ("ecco", {})))
    for result in form.answer(message):
        assert ollama.Message.model_validate(result).model_dump(exclude_none=True) == result


def test_mcp() -> None:
    package("mcp")
    types = importlib.import_module("mcp.types")
    form = form_of("mcp")
    for tool in form.tools():
        read = types.Tool.model_validate(tool)
        assert read.model_dump(by_alias=True, exclude_none=True) == tool
    params = {"name": "echo", "arguments": {"a": "x"}}
    (result,) = form.answer(types.CallToolRequestParams.model_validate(params))
    read = types.CallToolResult.model_validate(result)
    assert (read.content[0].text, read.model_dump(by_alias=True)["isError"]) == (
        '{"a": "x"}',
        False,
    )
