"""The list of tools: names, entries, pages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from purewasm_plugins import ToolDefinition, ToolRegistry, WasmPlugin, example
from purewasm_plugins.errors import DuplicateToolError
from purewasm_plugins.mcp import McpServer, ServerLimits, register_plugins
from purewasm_plugins.mcp.catalog import tool_entry
from purewasm_plugins.tools.formats import MCP
from tests.conftest import ROOT
from tests.mcp.clients import FunctionTool, Json, Talk, call, registry_of, request

FORM = MCP(ToolRegistry())
STARTERS = ("shout_c", "shout_rust")


def test_a_name_that_two_plugins_have_gets_theirs_whatever_their_order() -> None:
    loaded = [WasmPlugin.load(example(name)) for name in (*STARTERS, "echo")]
    registry, failed = register_plugins(loaded)
    assert not failed
    expected = [f"{plugin.name}_shout" for plugin in loaded[:2]]
    assert [*registry] == [*expected, "echo"]
    backwards, _ = register_plugins(reversed(loaded))
    assert [*backwards] == ["echo", *reversed(expected)]
    client = Talk(McpServer(registry))
    result = client.ask(call(expected[1], {"input": "hello"}))["result"]
    assert result["content"][0]["text"].startswith("HELLO")


def test_a_plugin_that_cannot_be_registered_does_not_hinder_the_others() -> None:
    twice = WasmPlugin.load(ROOT / "fixtures" / "wat" / "duplicate_tools.wasm")
    registry, failed = register_plugins([twice, WasmPlugin.load(example("zig_text"))])
    assert [(plugin, type(error)) for plugin, error in failed] == [(twice, DuplicateToolError)]
    assert "levenshtein" in registry


#: Names, and the pattern of the name that clients get.
NAMES = [
    ("json_pretty", "json_pretty"),
    ("json.pretty", "json_pretty_[0-9a-f]{8}"),
    ("x" * 64, "x" * 64),
    ("x" * 65, "x{55}_[0-9a-f]{8}"),
    ("make tea", "make_tea_[0-9a-f]{8}"),
    ("Grüße", "Gr_e_[0-9a-f]{8}"),
    ("", "tool_[0-9a-f]{8}"),
]


@pytest.mark.parametrize(("name", "pattern"), NAMES)
def test_names_that_clients_refuse_are_changed_and_known(name: str, pattern: str) -> None:
    registry = registry_of(FunctionTool(name))
    client = Talk(McpServer(registry))
    changed = client.ask(request("tools/list"))["result"]["tools"][0]["name"]
    assert re.fullmatch(pattern, changed)
    assert client.ask(call(changed))["result"]["isError"] is False


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("json_pretty", "Json pretty"),
        ("HTTP-get", "HTTP get"),
        ("a.b  c", "A b c"),
        ("__", "__"),
    ],
)
def test_titles(name: str, title: str) -> None:
    assert tool_entry(FORM, name, ToolDefinition(name, "", {}))["title"] == title


@pytest.mark.parametrize(
    ("schema", "listed"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"]}, {"type": "object", "properties": {}}),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": True}},
            {"type": "object", "properties": {"a": {}}},
        ),
        (
            {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}},
            {"properties": {"a": {"type": "string"}}, "type": "object"},
        ),
        (
            {"properties": {"x-mcp-header": {"const": {"x-mcp-header": 1}}}},
            {"properties": {"x-mcp-header": {"const": {"x-mcp-header": 1}}}, "type": "object"},
        ),
        (
            {"anyOf": [{"x-mcp-header": "A", "minProperties": 1}, True]},
            {"anyOf": [{"minProperties": 1}, {}], "type": "object", "properties": {}},
        ),
    ],
)
def test_schemas_are_of_objects_and_ask_for_no_headers(schema: Any, listed: Any) -> None:
    assert tool_entry(FORM, "a", ToolDefinition("a", "", schema))["inputSchema"] == listed


def test_pages() -> None:
    names = [f"tool_{number:02}" for number in range(25)]
    registry = registry_of(*map(FunctionTool, names))
    client = Talk(McpServer(registry, limits=ServerLimits(page=10)))
    found: list[str] = []
    cursor = None
    pages = 0
    while pages == 0 or cursor is not None:
        params: Json = {} if cursor is None else {"cursor": cursor}
        result = client.ask(request("tools/list", params))["result"]
        assert (result["ttlMs"] > 0, result["cacheScope"]) == (True, "public")
        found += [tool["name"] for tool in result["tools"]]
        cursor = result.get("nextCursor")
        pages += 1
    assert (found, pages) == (names, 3)


def test_a_cursor_of_a_list_that_has_changed_is_refused() -> None:
    registry = registry_of(FunctionTool("a"), FunctionTool("b"))
    client = Talk(McpServer(registry, limits=ServerLimits(page=1)))
    cursor = client.ask(request("tools/list"))["result"]["nextCursor"]
    assert client.ask(request("tools/list", {"cursor": cursor}))["result"]["tools"]
    registry.register(FunctionTool("c"))
    error = client.ask(request("tools/list", {"cursor": cursor}))["error"]
    assert error["code"] == -32602
    assert "begin with the first page" in error["message"]
