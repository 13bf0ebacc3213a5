"""Tools as an agent sees them: definitions, calls, results, and the registry that runs them.

Knows nothing of WebAssembly. Arguments are validated against a tool's JSON Schema before it runs.
"""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from purewasm_plugins.errors import DuplicateToolError, InvalidArgumentsError, ToolNotFoundError
from purewasm_plugins.support.records import Record


class ToolCategory(enum.Enum):
    """What a tool touches, so that an agent's policy can tell tools apart."""

    GENERAL = "general"
    SHELL = "shell"
    FILE_SYSTEM = "file_system"
    NETWORK = "network"
    CODE_ANALYSIS = "code_analysis"
    WEB_SEARCH = "web_search"
    MCP = "mcp"
    BROWSER = "browser"

    def __str__(self) -> str:
        return self.value


class ToolDefinition(Record):
    """What an agent is told of a tool.

    Attributes:
        name, description: for the agent.
        parameters: JSON Schema of the arguments, an object's.
        requires_approval: whether a person must agree before it runs; the agent's business.
        category: what it touches.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    requires_approval: bool = False
    category: ToolCategory = ToolCategory.GENERAL

    def to_openai_tool(self) -> dict[str, Any]:
        """Return the definition as an entry of `tools` in OpenAI's chat completions API."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.parameters),
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain values that `json` can write."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
            "requires_approval": self.requires_approval,
            "category": self.category.value,
        }


#: Copied for each call.
_NO_ARGUMENTS: dict[str, Any] = {}


class ToolCall(Record):
    """A call that an agent asks for. `id` is the agent's own, if it has one."""

    name: str
    arguments: Mapping[str, Any] = _NO_ARGUMENTS
    id: str | None = None


class ToolResult(Record):
    """What came of a call.

    Attributes:
        tool_name: the tool that ran.
        success: whether it did what it was asked.
        output: its output; empty where it failed.
        error: why it failed, in words, or None.
        exit_code: of a process, where the tool ran one.
        duration_ms: milliseconds it took; the registry stamps it.
    """

    tool_name: str
    success: bool
    output: str
    error: str | None = None
    exit_code: int | None = None
    duration_ms: float | None = None


class Cancellation:
    """Ends a call that runs in another thread, when its result is not wanted any more.

    Attributes:
        requested: whether `request` was called.
    """

    def __init__(self) -> None:
        self.requested = False
        self._action: Callable[[], None] | None = None

    def request(self) -> None:
        """Ask for the end of the call. Any thread may do it; after the end nothing happens."""
        self.requested = True
        action = self._action
        if action is not None:
            action()

    def on_request(self, action: Callable[[], None]) -> None:
        """Have the call ended by `action`: it may be called at once, from any thread, and twice."""
        self._action = action
        if self.requested:
            action()


@runtime_checkable
class ToolImpl(Protocol):
    """What can be registered: a definition, and the way to run it."""

    @property
    def definition(self) -> ToolDefinition:
        """What the agent is told."""
        ...

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Run the tool on arguments that fit its schema."""
        ...


@runtime_checkable
class CancellableTool(ToolImpl, Protocol):
    """A tool that can be ended from outside while it runs."""

    def execute_cancellable(
        self, arguments: Mapping[str, Any], cancellation: Cancellation | None
    ) -> ToolResult:
        """Run the tool as `execute` does, and end soon after the cancellation is requested."""
        ...


class ToolRegistry:
    """Tools by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._tools: dict[str, ToolImpl] = {}
        self._validators: dict[str, Callable[[Any], None]] = {}

    def register(self, tool: ToolImpl, *, replace: bool = False) -> None:
        """Add a tool.

        Args:
            tool: what to run under the name of its definition.
            replace: put it in the place of an earlier tool of that name.

        Raises:
            DuplicateToolError: a tool of that name is registered, and `replace` is not set.
            InvalidArgumentsError: the tool's parameters are no JSON Schema.
        """
        self.register_all((tool,), replace=replace)

    def register_all(self, tools: Iterable[ToolImpl], *, replace: bool = False) -> None:
        """Add several tools, or none of them where one cannot be added.

        Raises:
            DuplicateToolError, InvalidArgumentsError: as `register` does.
        """
        added: dict[str, ToolImpl] = {}
        validators: dict[str, Callable[[Any], None]] = {}
        for tool in tools:
            definition = tool.definition
            name = definition.name
            if name in added or (name in self._tools and not replace):
                raise DuplicateToolError(name)
            added[name] = tool
            validators[name] = schema_validator(name, definition.parameters)
        self._tools.update(added)
        self._validators.update(validators)

    def unregister(self, name: str) -> bool:
        """Take a tool out; whether there was one of that name."""
        self._validators.pop(name, None)
        return self._tools.pop(name, None) is not None

    def get(self, name: str) -> ToolImpl | None:
        """Return the tool of that name, or None."""
        return self._tools.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def definitions(self) -> list[ToolDefinition]:
        """Return what an agent is told of every tool."""
        return [tool.definition for tool in self._tools.values()]

    def to_openai_tools(self) -> list[dict[str, Any]]:
        """`tools` of OpenAI's chat completions API."""
        return [definition.to_openai_tool() for definition in self.definitions()]

    def execute(self, call: ToolCall) -> ToolResult:
        """Run a tool.

        Returns:
            What the tool returned, with `duration_ms` stamped. A tool that raises has failed: the
            result says how.

        Raises:
            ToolNotFoundError: no tool has that name.
            InvalidArgumentsError: the arguments do not fit its schema; it did not run.
        """
        return self._execute(call, None)

    def _execute(self, call: ToolCall, cancellation: Cancellation | None) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolNotFoundError(call.name, tuple(self._tools))
        self._validators[call.name](call.arguments)
        started = time.perf_counter()
        try:
            if cancellation is not None and isinstance(tool, CancellableTool):
                result = tool.execute_cancellable(call.arguments, cancellation)
            else:
                result = tool.execute(call.arguments)
        except Exception as exception:
            error = f"{type(exception).__name__}: {exception}"
            result = ToolResult(call.name, success=False, output="", error=error)
        # Imported here: it takes longer than all that a plugin's first answer needs.
        from dataclasses import replace

        return replace(result, duration_ms=(time.perf_counter() - started) * 1000)

    async def execute_async(self, call: ToolCall) -> ToolResult:
        """Run a tool without blocking the event loop, as `execute` does.

        It runs in a thread; in line where the platform has no threads, as in Pyodide. Where the
        task that waits for it is cancelled, as `asyncio.wait_for` does after its timeout, a tool
        of a plugin ends within milliseconds, and the plugin is free for the next call. Another
        tool goes on in its thread, unless it is a `CancellableTool`.
        """
        if sys.platform in ("emscripten", "wasi"):
            return self.execute(call)
        # Imported here: it takes half as long to import as the whole package.
        import asyncio

        cancellation = Cancellation()
        try:
            return await asyncio.to_thread(self._execute, call, cancellation)
        except BaseException:
            # The task was cancelled, or the coroutine closed.
            cancellation.request()
            raise


def schema_validator(tool: str, schema: Mapping[str, Any]) -> Callable[[Any], None]:
    """Make a function that raises `InvalidArgumentsError` for arguments that a JSON Schema forbids.

    A schema may come from a stranger: it opens no other document, and what checking takes is
    bounded.

    Raises:
        InvalidArgumentsError: this is no JSON Schema, or uses what is not supported.
    """
    # Imported here: a plugin's first answer does not wait for it.
    from purewasm_plugins.tools.schema.schemas import Schema

    try:
        checked = Schema(schema)
    except ValueError as error:
        raise InvalidArgumentsError(tool, f"its JSON Schema is invalid: {error}") from None

    def validator(arguments: Any) -> None:
        try:
            checked.check(
                dict(arguments) if isinstance(arguments, Mapping) else arguments, "arguments"
            )
        except ValueError as error:
            raise InvalidArgumentsError(tool, str(error)) from None

    return validator
