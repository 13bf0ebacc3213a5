"""The tools of a registry as the protocol lists them: entries, names, pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from purewasm_plugins.errors import ToolError
from purewasm_plugins.mcp.messages import JsonObject, ProtocolError
from purewasm_plugins.mcp.versions import INVALID_PARAMS
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.tools import ToolDefinition, ToolRegistry
from purewasm_plugins.tools.approval import Approve
from purewasm_plugins.tools.formats import MCP
from purewasm_plugins.tools.names import agent_names

__all__ = ["list_page", "register_plugins", "tool_entry"]

_CURSOR = re.compile(r"([0-9]{1,9})-([0-9a-f]{16})")


def register_plugins(
    plugins: Iterable[WasmPlugin],
    *,
    approve: Approve | None = None,
) -> tuple[ToolRegistry, list[tuple[WasmPlugin, ToolError]]]:
    """Make a registry with the tools of plugins.

    A name that two plugins have gets the name of its plugin before it, for both of them, whatever
    their order: `json_format` and `csv_format`.

    Args:
        plugins: the plugins, in the order of the list of tools.
        approve: as for `ToolRegistry`.

    Returns:
        The registry, and the plugins that have no tool in it with the reasons.
    """
    registrable = [(plugin, plugin.registrable_tools()) for plugin in plugins]
    owners: dict[str, int] = {}
    for _, tools in registrable:
        for name in {tool.definition.name for tool in tools}:
            owners[name] = owners.get(name, 0) + 1
    registry = ToolRegistry(approve=approve)
    failed: list[tuple[WasmPlugin, ToolError]] = []
    for plugin, tools in registrable:
        try:
            registry.register_all(
                tool
                if owners[tool.definition.name] == 1
                else tool.renamed(f"{plugin.name}_{tool.definition.name}")
                for tool in tools
            )
        except ToolError as error:
            failed.append((plugin, error))
    return registry, failed


def tool_entry(form: MCP, name: str, definition: ToolDefinition) -> JsonObject:
    """Return the entry of a tool in the list.

    The format leaves out `x-mcp-header`, with which a schema would have clients repeat arguments in
    headers of HTTP, and this server compare them.

    Args:
        form: the format of tools.
        name: its name for clients.
        definition: the tool.
    """
    words = re.sub(r"[_.\s-]+", " ", definition.name).strip() or name
    title = definition.annotations.get("title") or words[0].upper() + words[1:]
    return {"title": title, **form.tool(definition, name)}


def list_page(registry: ToolRegistry, cursor: str | None, size: int) -> JsonObject:
    """Return the part of the list of tools that a cursor asks for.

    Args:
        registry: the tools, in the order of the list.
        cursor: `nextCursor` of the page before, or None for the first page.
        size: the most tools of a page.

    Raises:
        ProtocolError: the cursor is of no list, or of one that has changed since.
    """
    form = MCP(registry)
    # Read once: another thread may change the registry.
    definitions = registry.definitions()
    names = agent_names(definition.name for definition in definitions)
    digest = hashlib.sha256(repr(list(names.values())).encode("utf-8", "replace")).hexdigest()[:16]
    start = 0 if cursor is None else _start(cursor, digest, len(names))
    end = start + size
    shown = definitions[start:end]
    page: JsonObject = {"tools": [tool_entry(form, names[one.name], one) for one in shown]}
    if end < len(names):
        page["nextCursor"] = f"{end}-{digest}"
    return page


def _start(cursor: str, digest: str, count: int) -> int:
    match = _CURSOR.fullmatch(cursor)
    if match is None or match[2] != digest or not int(match[1]) < count:
        details = "it is none of this list, or the list has changed; begin with the first page"
        raise ProtocolError(INVALID_PARAMS, f"Invalid cursor: {details}")
    return int(match[1])
