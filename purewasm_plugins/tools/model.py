"""What tools and their calls are: definitions, calls, results, and what a tool must have.

None of it depends on WebAssembly.
"""

from __future__ import annotations

from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Callable, Mapping, Protocol, runtime_checkable

__all__ = [
    "CancellableTool",
    "Cancellation",
    "ToolCall",
    "ToolCategory",
    "ToolDefinition",
    "ToolImpl",
    "ToolResult",
]


class ToolCategory(Enum):
    """The kind of thing that a tool touches, for an agent's policy."""

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
    """The description of a tool for an agent.

    Attributes:
        name, description: for the agent.
        parameters: JSON Schema of the arguments, an object's.
        requires_approval: whether each call must be approved before it runs: by the callback
            `approve` of the registry, which refuses the call where it has none.
        category: what it touches.
        annotations: hints for clients, in the names of the Model Context Protocol: `title`,
            `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`.
        output_schema: JSON Schema of the output, which is then JSON; None where it is any text.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    requires_approval: bool = False
    category: ToolCategory = ToolCategory.GENERAL
    annotations: Mapping[str, Any] = {}  # noqa: RUF012
    output_schema: Mapping[str, Any] | None = None

    def to_openai_tool(self) -> dict[str, Any]:
        """Return the definition as an entry of `tools` in OpenAI's chat completions API.

        A name that agents do not accept is changed, as `tools.names.agent_name` describes, and
        `tools.formats` has the formats of other APIs.
        """
        # Imported here: a plugin's first answer does not need it.
        from purewasm_plugins.tools.entries import openai_entry
        from purewasm_plugins.tools.names import agent_name

        return openai_entry(agent_name(self.name), self.description, self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain values that `json` can write."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
            "requires_approval": self.requires_approval,
            "category": self.category.value,
            "annotations": dict(self.annotations),
            "output_schema": None if self.output_schema is None else dict(self.output_schema),
        }


#: Copied for each call.
_NO_ARGUMENTS: dict[str, Any] = {}


class ToolCall(Record):
    """A call that an agent asks for.

    Attributes:
        name: the name of the tool, as registered or as the format for agents has it.
        arguments: a JSON object.
        id: the agent's own number of the call, if it has one.
        problem: why the arguments cannot be read, in words, or None. A registry refuses the call.
        caller: who asks for it, for the log of calls, or None.
    """

    name: str
    arguments: Mapping[str, Any] = _NO_ARGUMENTS
    id: str | None = None
    problem: str | None = None
    caller: str | None = None


class ToolResult(Record):
    """The result of a call. Two are equal where all fields but the last two are.

    Attributes:
        tool_name: the tool that ran.
        success: whether it did what it was asked.
        output: its output; empty where it failed.
        error: the reason of the failure, in words, or None.
        exit_code: of a process, where the tool ran one.
        duration_ms: milliseconds it took; the registry stamps it.
        exception: what the tool raised, or None. Its traceback keeps what the frames hold.
        structured: the value of the output, where the definition has an `output_schema`; the
            registry reads it. None for none.
    """

    tool_name: str
    success: bool
    output: str
    error: str | None = None
    exit_code: int | None = None
    duration_ms: float | None = None
    exception: BaseException | None = None
    structured: Any = None

    def _compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in self.__match_args__[:-2])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolResult):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())


class Cancellation:
    """A request to end a call that runs in another thread, and the progress of that call.

    Attributes:
        requested: whether `request` was called.
    """

    def __init__(self) -> None:
        self.requested = False
        self._action: Callable[[], None] | None = None
        self._measure: Callable[[], float] | None = None

    def request(self) -> None:
        """End the call. Any thread may do it; after the call has ended nothing happens."""
        self.requested = True
        action = self._action
        if action is not None:
            action()

    def on_request(self, action: Callable[[], None]) -> None:
        """Call `action` to end the call: perhaps at once, from any thread, and more than once."""
        self._action = action
        if self.requested:
            action()

    @property
    def progress(self) -> float | None:
        """How far the call has come; None where the tool does not tell. Any thread may ask.

        A plugin's tool tells the fuel that it has used. The number can be less than the one before:
        a call of a plugin can begin again in a fresh instance.
        """
        measure = self._measure
        return None if measure is None else measure()

    def on_measure(self, measure: Callable[[], float]) -> None:
        """Have `progress` return what `measure` returns, which is called from any thread."""
        self._measure = measure


@runtime_checkable
class ToolImpl(Protocol):
    """The protocol of what can be registered: a definition, and a method that runs it.

    A tool may have these attributes, too: `origin`, a string such as "plugin 'json'", for errors
    and for those who approve calls; `grants`, strings that say what it may touch; `log_fields`, a
    mapping of more fields for records of the log of calls.
    """

    @property
    def definition(self) -> ToolDefinition:
        """The description for the agent."""

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Run the tool on arguments that fit its schema."""


@runtime_checkable
class CancellableTool(ToolImpl, Protocol):
    """A tool that can be ended from outside while it runs."""

    def execute_cancellable(
        self, arguments: Mapping[str, Any], cancellation: Cancellation | None
    ) -> ToolResult:
        """Run the tool as `execute` does, and end soon after the cancellation is requested."""
