"""A plugin's tools: what it says of each, how one is found by name, and one in a registry."""

from __future__ import annotations

from purewasm_plugins.errors import PluginError, ToolExecutionError
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.policy import ToolPolicy, ToolSettings
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Mapping, Protocol, Sequence
from purewasm_plugins.tools import Cancellation, ToolDefinition, ToolResult

__all__ = ["PluginTool", "RegisteredTool", "find_tool", "registered_tools", "tool_input"]

#: JSON Schema of the arguments of a tool that gives none: its input, as it is.
DEFAULT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "description": "The tool's input, passed to it as it is."}
    },
    "required": ["input"],
    "additionalProperties": False,
}


class PluginTool(Record):
    """A tool of a plugin.

    Attributes:
        name, description: as the plugin gives them.
        index: its number in the plugin.
        schema: JSON Schema of its arguments, or None where the plugin gives none. The tool's input
            is then any text, and otherwise the arguments as JSON.
        output_schema: JSON Schema of its output, which is then JSON; None where it is any text.
    """

    name: str
    description: str
    index: int
    schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The schema, or the one of a single string `input`."""
        return DEFAULT_SCHEMA if self.schema is None else self.schema


def find_tool(tools: Sequence[PluginTool], wanted: int | str) -> PluginTool:
    """Return the tool with an index or a name.

    Args:
        tools: the tools of a plugin, by index.
        wanted: the index or the name.

    Raises:
        ToolExecutionError: there is no such tool, or two tools have the name.
    """
    if not isinstance(wanted, str):
        if 0 <= wanted < len(tools):
            return tools[wanted]
        raise ToolExecutionError(
            str(wanted), f"there is no tool {wanted}; the plugin has {len(tools)}"
        )
    found = [tool for tool in tools if tool.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise ToolExecutionError(wanted, "the plugin has two tools of that name; use an index")
    # Imported here: a call of a tool that exists does not need it.
    from purewasm_plugins.support.suggestions import listed, similar_name

    names = [tool.name for tool in tools]
    similar = similar_name(wanted, names)
    hint = f"it has: {listed(names)}" if similar is None else f"did you mean {similar}?"
    raise ToolExecutionError(wanted, f"the plugin has no such tool; {hint}")


def tool_input(tool: PluginTool, arguments: Mapping[str, Any]) -> str:
    """Return the input that a tool gets for arguments that fit its parameters.

    Returns:
        The string `input` for a tool without a schema; the arguments as JSON for one with a schema.

    Raises:
        ValueError: the arguments cannot be written as JSON.
    """
    if tool.schema is None:
        return str(arguments["input"])
    # Imported here: a plugin without schemas needs no JSON.
    from purewasm_plugins.support.json_text import write_json

    return write_json(dict(arguments))


class RunsTools(Protocol):
    """The object that runs a plugin's tools: `WasmPlugin`."""

    name: str
    version: str
    module: Module
    options: PluginOptions

    def execute_tool(
        self, tool: int | str, input: str, *, cancellation: Cancellation | None = None
    ) -> str:
        """Run a tool, as `WasmPlugin.execute_tool` does."""


class RegisteredTool:
    """A plugin's tool as a registry holds it.

    Attributes:
        plugin, tool: the plugin, and its tool.
        definition: the description for an agent.
        origin: what the tool is from, for messages: "plugin 'json'".
    """

    def __init__(
        self, plugin: RunsTools, tool: PluginTool, name: str, settings: ToolSettings | None = None
    ) -> None:
        self.plugin = plugin
        self.tool = tool
        said = settings or ToolSettings()
        self.definition = ToolDefinition(
            name,
            tool.description,
            tool.parameters,
            said.requires_approval,
            annotations=said.annotations,
            output_schema=tool.output_schema,
        )
        self.origin = f"plugin '{plugin.name}'"
        self._sha256: str | None = None

    def renamed(self, name: str) -> RegisteredTool:
        """Return the same tool under another name."""
        from dataclasses import replace

        tool = RegisteredTool(self.plugin, self.tool, name)
        tool.definition = replace(self.definition, name=name)
        return tool

    @property
    def log_fields(self) -> Mapping[str, object]:
        """The fields of the plugin for the log of calls."""
        # Imported here: most programs have no log.
        from hashlib import sha256

        if self._sha256 is None:
            self._sha256 = sha256(self.plugin.module.data).hexdigest()
        return {
            "plugin": self.plugin.name,
            "plugin_version": self.plugin.version,
            "plugin_sha256": self._sha256,
        }

    @property
    def grants(self) -> tuple[str, ...]:
        """What the tool may touch, in words, for those who approve its calls."""
        # Imported here: most tools need no approval.
        from purewasm_plugins.plugin.grants import granted_words

        return granted_words(self.plugin.options)

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Run the tool on arguments that fit its parameters."""
        return self.execute_cancellable(arguments, None)

    def execute_cancellable(
        self, arguments: Mapping[str, Any], cancellation: Cancellation | None
    ) -> ToolResult:
        """Run the tool as `execute` does; another thread may end it with the cancellation."""
        name = self.definition.name
        try:
            text = tool_input(self.tool, arguments)
            output = self.plugin.execute_tool(self.tool.index, text, cancellation=cancellation)
        except (PluginError, ValueError) as error:
            return ToolResult(name, success=False, output="", error=str(error), exception=error)
        return ToolResult(name, success=True, output=output)


def registered_tools(
    plugin: RunsTools, tools: Sequence[PluginTool], policy: ToolPolicy | None, prefix: str | None
) -> list[RegisteredTool]:
    """Return the tools of a plugin as a registry takes them, without those that are hidden.

    Args:
        plugin: what runs them.
        tools: the tools.
        policy: what is said of them.
        prefix: text before each name, and before the prefix of the policy.
    """
    said = policy or ToolPolicy()
    start = (prefix or "") + said.prefix
    return [
        RegisteredTool(plugin, tool, start + tool.name, settings)
        for tool in tools
        for settings in [said.tools.get(tool.name)]
        if settings is None or not settings.hidden
    ]
