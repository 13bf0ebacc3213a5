"""Schemas of outputs: from the plugin's export to the registry, the formats and MCP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    InvalidArgumentsError,
    ToolCall,
    ToolDefinition,
    ToolRegistry,
    ToolResult,
    WasmPlugin,
)
from purewasm_plugins.mcp import McpServer, register_plugins
from purewasm_plugins.plugin.conformance import check
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.tools.formats import FORMATS
from tests.mcp.clients import Talk, call, initialize, legacy, request

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

Make = Callable[..., bytes]


@pytest.fixture(scope="module")
def make(wat: Callable[[str], bytes], plugin_text: Callable[..., str]) -> Make:
    """Make a plugin whose one tool returns its input, and has this output schema."""

    def make(schema: object) -> bytes:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        escaped = text.replace('"', "\\22")
        return wat(
            plugin_text(
                extra=f"""(data (i32.const 4096) "{escaped}\\00")
                (func (export "plugin_tool_output_schema") (param i32) (result i32)
                  i32.const 4096)"""
            )
        )

    return make


@pytest.fixture(params=["translator", "pywasm"])
def load(request: pytest.FixtureRequest, make: Make) -> Callable[[object], WasmPlugin]:
    return lambda schema: WasmPlugin.load_from_bytes(make(schema), engine=request.param)


@pytest.mark.parametrize(
    ("schema", "output", "value", "words"),
    [
        (NUMBER, '{"n": 1}', {"n": 1}, None),
        (NUMBER, '{"n": "1"}', None, "output.n must be of type 'integer'"),
        (NUMBER, "{}", None, "output must have ['n']"),
        (NUMBER, "[1]", None, "output must be of type 'object'"),
        (NUMBER, "no JSON", None, "it is not JSON"),
        (NUMBER, "[" * 1000, None, "it is not JSON"),
        ({"type": "array"}, "[1]", [1], None),
        ({}, "null", None, None),
        ("", "no JSON", None, None),
    ],
)
def test_outputs(
    load: Callable[[object], WasmPlugin], schema: Any, output: str, value: Any, words: str | None
) -> None:
    plugin = load(schema)
    assert plugin.tools[0].output_schema == (schema if schema != "" else None)
    registry = ToolRegistry()
    plugin.register_into_registry(registry)
    (definition,) = registry.definitions()
    assert definition.output_schema == plugin.tools[0].output_schema
    result = registry.execute(ToolCall("tool", {"input": output}))
    assert (result.success, result.structured) == (words is None, value)
    assert words is None or words in str(result.error)
    assert result.output == output
    assert plugin.execute_tool("tool", output) == output


def test_a_wrong_schema_is_refused_by_registries(load: Callable[[object], WasmPlugin]) -> None:
    plugin = load({"type": "objekt"})
    registry = ToolRegistry()
    with pytest.raises(InvalidArgumentsError, match="its output JSON Schema is invalid"):
        plugin.register_into_registry(registry)
    assert not registry


@pytest.mark.parametrize(
    ("schema", "sent"), [(NUMBER, NUMBER), ({"type": "array"}, None), ({}, None), ("", None)]
)
def test_formats_pass_on_the_schema_of_an_object(make: Make, schema: Any, sent: Any) -> None:
    registry, _ = register_plugins([WasmPlugin.load_from_bytes(make(schema))])
    (definition,) = registry.definitions()
    for name, form in FORMATS.items():
        key = {"mcp": "outputSchema", "gemini": "responseJsonSchema"}.get(name, "other")
        entry = form(registry).tool(definition)
        assert entry.get(key) == (sent if key != "other" else None)


def test_clients_of_mcp_get_a_value(make: Make) -> None:
    server = McpServer(register_plugins([WasmPlugin.load_from_bytes(make(NUMBER))])[0])
    modern, session = Talk(server), Talk(server)
    session.ask(initialize())
    for answer in (modern.ask(request("tools/list")), session.ask(legacy("tools/list"))):
        assert answer["result"]["tools"][0]["outputSchema"] == NUMBER
    for text, content in (('{"n": 1}', {"n": 1}), ("{}", None)):
        arguments = {"input": text}
        given = {"name": "tool", "arguments": arguments}
        for answer in (
            modern.ask(call("tool", arguments)),
            session.ask(legacy("tools/call", given)),
        ):
            result = answer["result"]
            assert result.get("structuredContent") == content
            assert result["isError"] is (content is None)
            assert text in result["content"][0]["text"]


def test_a_tool_in_python_can_give_the_value() -> None:
    class Tool:
        definition = ToolDefinition("tool", "", {}, output_schema=NUMBER)

        def execute(self, arguments: Any) -> ToolResult:
            return ToolResult("tool", success=True, output="one", structured=dict(arguments))

    registry = ToolRegistry()
    registry.register(Tool())
    assert registry.execute(ToolCall("tool", {"n": 1})).structured == {"n": 1}
    assert not registry.execute(ToolCall("tool", {"n": "x"})).success


@pytest.mark.parametrize(
    ("schema", "status", "words"),
    [
        (NUMBER, Status.PASS, "a JSON Schema"),
        ("", Status.PASS, "any text"),
        ({"type": "array"}, Status.WARNING, "expect of outputs"),
        ("{", Status.FAIL, "not JSON"),
        ("[]", Status.FAIL, "not a JSON object"),
        ({"type": "objekt"}, Status.FAIL, "invalid"),
    ],
)
def test_conformance(make: Make, schema: Any, status: Status, words: str) -> None:
    checks: dict[str, Check] = {one.name: one for one in check(make(schema))}
    found = checks["tool 0 output schema"]
    assert found.status is status
    assert words in found.details
    assert bool(found.fix) is (status is not Status.PASS)
