"""What an agent gets of a plugin's tools: their names, which are hidden, which need approval."""

from __future__ import annotations

from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Mapping

__all__ = ["ToolPolicy", "ToolSettings"]


class ToolSettings(Record):
    """What is said of one tool, beside what the plugin says.

    Attributes:
        hidden: whether it is not registered. `execute_tool` still runs it.
        requires_approval: whether a person must agree before it runs, as in `ToolDefinition`.
        annotations: hints for clients, as in `ToolDefinition`.
    """

    hidden: bool = False
    requires_approval: bool = False
    annotations: Mapping[str, Any] = {}  # noqa: RUF012


class ToolPolicy(Record):
    """What is said of the tools of a plugin, beside what the plugin says.

        >>> from purewasm_plugins import PluginOptions, ToolRegistry, WasmPlugin, example
        >>> policy = ToolPolicy("my_", {"json_summary": ToolSettings(hidden=True)})
        >>> registry = ToolRegistry()
        >>> plugin = WasmPlugin.load(example("c_json"), PluginOptions(policy=policy))
        >>> plugin.register_into_registry(registry)
        >>> list(registry)
        ['my_json_pretty', 'my_json_compact', 'my_json_sort_keys']

    Attributes:
        prefix: text before the name of each tool, as it is registered.
        tools: the settings of tools by their names in the plugin.
    """

    prefix: str = ""
    tools: Mapping[str, ToolSettings] = {}  # noqa: RUF012
