"""The tools of a registry as the protocol lists them: entries, names, pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from purewasm_plugins.errors import ToolError
from purewasm_plugins.mcp.messages import JsonObject, ProtocolError
from purewasm_plugins.mcp.versions import INVALID_PARAMS
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.tools import RegisteredTool
from purewasm_plugins.tools import ToolDefinition, ToolRegistry
from purewasm_plugins.tools.formats import agent_names

__all__ = ["list_page", "register_plugins", "tool_entry", "tool_names"]

#: The names that the protocol recommends; other names are changed.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_CURSOR = re.compile(r"([0-9]{1,9})-([0-9a-f]{16})")

#: The annotation with which a schema asks clients to repeat an argument in a header of HTTP.
_HEADER = "x-mcp-header"

#: The keywords of a schema whose values are schemas by name, and those whose values are data.
_NAMED_SCHEMAS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_DATA = {"const", "enum", "default", "examples"}


def register_plugins(
    plugins: Iterable[WasmPlugin],
) -> tuple[ToolRegistry, list[tuple[WasmPlugin, ToolError]]]:
    """Make a registry with the tools of plugins.

    A name that two plugins have gets the name of its plugin before it, for both of them, whatever
    their order: `json_format` and `csv_format`.

    Args:
        plugins: the plugins, in the order of the list of tools.

    Returns:
        The registry, and the plugins that have no tool in it with the reasons.
    """
    plugins = list(plugins)
    owners: dict[str, int] = {}
    for plugin in plugins:
        for name in {tool.name for tool in plugin.tools}:
            owners[name] = owners.get(name, 0) + 1
    registry = ToolRegistry()
    failed: list[tuple[WasmPlugin, ToolError]] = []
    for plugin in plugins:
        tools = [
            RegisteredTool(
                plugin,
                tool,
                tool.name if owners[tool.name] == 1 else f"{plugin.name}_{tool.name}",
            )
            for tool in plugin.tools
        ]
        try:
            registry.register_all(tools)
        except ToolError as error:
            failed.append((plugin, error))
    return registry, failed


def tool_names(registry: ToolRegistry) -> dict[str, str]:
    """Return the name for clients of each registered name; no two are equal.

    The registry knows a tool by both.
    """
    changed = agent_names(registry)
    return {name: name if _NAME.fullmatch(name) else changed[name] for name in registry}


def tool_entry(name: str, definition: ToolDefinition) -> JsonObject:
    """Return the entry of a tool in the list.

    Args:
        name: its name for clients.
        definition: the tool.
    """
    words = re.sub(r"[_.\s-]+", " ", definition.name).strip() or name
    return {
        "name": name,
        "title": words[0].upper() + words[1:],
        "description": definition.description,
        "inputSchema": _input_schema(definition.parameters),
    }


def list_page(registry: ToolRegistry, cursor: str | None, size: int) -> JsonObject:
    """Return the part of the list of tools that a cursor asks for.

    Args:
        registry: the tools, in the order of the list.
        cursor: `nextCursor` of the page before, or None for the first page.
        size: the most tools of a page.

    Raises:
        ProtocolError: the cursor is of no list, or of one that has changed since.
    """
    names = tool_names(registry)
    definitions = registry.definitions()
    digest = hashlib.sha256(repr(list(names.values())).encode("utf-8", "replace")).hexdigest()[:16]
    start = 0 if cursor is None else _start(cursor, digest, len(definitions))
    end = start + size
    page: JsonObject = {
        "tools": [
            tool_entry(names[definition.name], definition) for definition in definitions[start:end]
        ]
    }
    if end < len(definitions):
        page["nextCursor"] = f"{end}-{digest}"
    return page


def _start(cursor: str, digest: str, count: int) -> int:
    match = _CURSOR.fullmatch(cursor)
    if match is None or match[2] != digest or not int(match[1]) < count:
        details = "it is none of this list, or the list has changed; begin with the first page"
        raise ProtocolError(INVALID_PARAMS, f"Invalid cursor: {details}")
    return int(match[1])


def _input_schema(parameters: Mapping[str, Any]) -> JsonObject:
    """Return a schema of arguments as the protocol wants it: of an object.

    The arguments of a call are always an object, so that the type adds no rule. Clients must not be
    asked for headers, whose values this server would have to compare.
    """
    schema: JsonObject = _without_headers(parameters)
    return {**schema, "type": "object"}


def _without_headers(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_headers(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: JsonObject = {}
    for key, value in schema.items():
        if key in _NAMED_SCHEMAS and isinstance(value, Mapping):
            found[key] = {name: _without_headers(one) for name, one in value.items()}
        elif key in _DATA:
            found[key] = value
        elif key != _HEADER:
            found[key] = _without_headers(value)
    return found
