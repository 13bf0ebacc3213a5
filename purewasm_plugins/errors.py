"""Every exception that the package raises on purpose, in two trees.

`WasmError` is what the WebAssembly layers raise, `PluginError` what the plugin ABI makes of it, and
`ToolError` what the tool registry adds. Fields are attributes and constructor arguments in the same
order, which is also what lets each of them be pickled. Whatever bytes, plugin or string comes in,
nothing outside these trees comes out. The text of an error holds names that a plugin chose, and is
made harmless by `escape_controls`; the attributes keep them as they are.
"""

from __future__ import annotations

import enum

from purewasm_plugins.support.records import Record

__all__ = [
    "Cancelled",
    "CompileError",
    "DeadlineExceeded",
    "DebuggerError",
    "DecodeError",
    "DuplicateToolError",
    "ExpressionError",
    "HitCountError",
    "InstantiateError",
    "InvalidArgumentsError",
    "LinkError",
    "LocationError",
    "MemoryInUse",
    "MissingExportError",
    "OutOfFuel",
    "OutOfMemory",
    "PluginError",
    "ResourceLimitError",
    "StackFrame",
    "ToolError",
    "ToolExecutionError",
    "ToolNotFoundError",
    "Trap",
    "TrapReason",
    "ValidationError",
    "VersionMismatchError",
    "WasmError",
    "WrongExportTypeError",
]


#: The control characters (C0, DEL and C1), those that separate lines and those that embed, override
#: or isolate a direction of text, each with its escape.
_ESCAPES = {
    code: repr(chr(code))[1:-1]
    for codes in ((0x00, 0x1F), (0x7F, 0x9F), (0x2028, 0x202E), (0x2066, 0x2069))
    for code in range(codes[0], codes[1] + 1)
}


def escape_controls(text: str, keep: str = "") -> str:
    """A text of a stranger's, in which nothing acts on a terminal or forges a line of a log.

    Args:
        text: any text.
        keep: the control characters that stay as they are.

    Returns:
        The text with control characters, and those that change the direction of text, as the
        escapes of a Python string.
    """
    if text.isprintable():
        return text
    kept = dict.fromkeys(map(ord, keep))
    return text.translate({code: _ESCAPES[code] for code in _ESCAPES if code not in kept})


class _Worded:
    """The text of an error: subclasses word it, and it is escaped here."""

    def __str__(self) -> str:
        return escape_controls(self._words())

    def _words(self) -> str:
        return super().__str__()


class WasmError(_Worded, Exception):
    """Something is wrong with a module, with what it is linked to, or with how it ran."""


class DecodeError(WasmError):
    """The bytes are not a WebAssembly module (core specification, section 5).

    Attributes:
        message: what is wrong, in the wording of the specification's test suite.
        offset: where, in bytes from the start of the module.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)
        self.message = message
        self.offset = offset

    def _words(self) -> str:
        return f"{self.message} (at byte {self.offset:#x})"


class ValidationError(WasmError):
    """A well-formed module breaks a rule of validation (core specification, section 3).

    Attributes:
        message: the rule, in the wording of the specification's test suite.
        function: index of the function whose body breaks it; None at module level.
        offset: byte offset in the module, or None where no byte is to blame.
    """

    def __init__(
        self, message: str, function: int | None = None, offset: int | None = None
    ) -> None:
        super().__init__(message, function, offset)
        self.message = message
        self.function = function
        self.offset = offset

    def _words(self) -> str:
        where = []
        if self.function is not None:
            where.append(f"in function {self.function}")
        if self.offset is not None:
            where.append(f"at byte {self.offset:#x}")
        return f"{self.message} ({', '.join(where)})" if where else self.message


class LinkError(WasmError):
    """An import is missing or does not match its declared type (core specification, 4.5.4).

    Attributes:
        module, name: the two names of the import.
        details: what is wrong with it, in the wording of the specification's test suite.
    """

    def __init__(self, module: str, name: str, details: str = "unknown import") -> None:
        super().__init__(module, name, details)
        self.module = module
        self.name = name
        self.details = details

    def _words(self) -> str:
        return f"{self.details}: import '{self.name}' from module '{self.module}'"


class ResourceLimitError(WasmError):
    """A module declares more than the limits given for it allow; nothing was allocated.

    Attributes:
        limit: the field of `ResourceLimits` that refused it.
        requested, allowed: in the limit's own unit; `allowed` is None where the machine has not so
            much, whatever the limit.
    """

    def __init__(self, limit: str, requested: int, allowed: int | None) -> None:
        super().__init__(limit, requested, allowed)
        self.limit = limit
        self.requested = requested
        self.allowed = allowed

    def _words(self) -> str:
        what = self.limit.replace("_", " ")
        return f"the module asks for {self.requested} {what}, and {self.refusal}"

    @property
    def refusal(self) -> str:
        """Why it was refused, in words."""
        if self.allowed is None:
            return "there is no room for them on this machine"
        return f"the limit is {self.allowed}"


class TrapReason(enum.Enum):
    """Why execution stopped; in the wording of the specification's test suite, where it has one."""

    UNREACHABLE = "unreachable"
    OUT_OF_BOUNDS_MEMORY_ACCESS = "out of bounds memory access"
    OUT_OF_BOUNDS_TABLE_ACCESS = "out of bounds table access"
    INTEGER_DIVIDE_BY_ZERO = "integer divide by zero"
    INTEGER_OVERFLOW = "integer overflow"
    INVALID_CONVERSION_TO_INTEGER = "invalid conversion to integer"
    INDIRECT_CALL_TYPE_MISMATCH = "indirect call type mismatch"
    UNINITIALIZED_ELEMENT = "uninitialized element"
    UNDEFINED_ELEMENT = "undefined element"
    CALL_STACK_EXHAUSTED = "call stack exhausted"
    OUT_OF_FUEL = "out of fuel"
    DEADLINE_EXCEEDED = "deadline exceeded"
    CANCELLED = "cancelled"
    OUT_OF_MEMORY = "out of memory"
    MEMORY_IN_USE = "the memory cannot grow while the host holds a memoryview of its data"

    def __str__(self) -> str:
        return self.value


class StackFrame(Record):
    """One WebAssembly function that was active when a trap happened.

    Attributes:
        function: its index in its module; None for a host function.
        name: its name from the name section or an export, where it has one.
        module: the module's own name, where it has one.
        offset: byte offset in the module of the instruction it had reached.
        instruction: that instruction as text; given for the innermost frame only.
    """

    function: int | None
    name: str | None = None
    module: str | None = None
    offset: int | None = None
    instruction: str | None = None

    def __str__(self) -> str:
        text = self.name if self.name is not None else f"function {self.function}"
        if self.module is not None:
            text = f"{self.module}!{text}"
        if self.offset is not None:
            text += f" at byte {self.offset:#x}"
        if self.instruction is not None:
            text += f": {self.instruction}"
        return escape_controls(text)


class Trap(WasmError):
    """Execution was aborted (core specification, section 4.2.4).

    Attributes:
        reason: which of the traps it is.
        frames: the WebAssembly backtrace, innermost first.
    """

    #: Frames shown at each end of a long backtrace.
    SHOWN = 8

    def __init__(self, reason: TrapReason, frames: tuple[StackFrame, ...] = ()) -> None:
        super().__init__(reason, frames)
        self.reason = reason
        self.frames = frames

    def backtrace(self) -> list[str]:
        """The frames as text, the middle of a long backtrace left out."""
        lines = [f"in {frame}" for frame in self.frames]
        hidden = len(lines) - 2 * self.SHOWN
        if hidden > 0:
            lines[self.SHOWN : -self.SHOWN] = [f"... {hidden} more frames"]
        return lines

    def __str__(self) -> str:
        # A line each: they are escaped one by one.
        return "\n  ".join([self.reason.value, *self.backtrace()])


class OutOfFuel(Trap):
    """The call used up `ResourceLimits.fuel`."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.OUT_OF_FUEL,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class DeadlineExceeded(Trap):
    """The call took longer than `ResourceLimits.timeout`."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.DEADLINE_EXCEEDED,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class Cancelled(Trap):
    """`Instance.cancel()` was called while the instance was running."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.CANCELLED,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class OutOfMemory(Trap):
    """Python had no room for what the call needed, under whatever limit."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.OUT_OF_MEMORY,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class MemoryInUse(Trap):
    """A memory had to grow while the host held a `memoryview` of its `data`: release it first."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.MEMORY_IN_USE,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class PluginError(_Worded, Exception):
    """A plugin cannot be loaded or used. Raised as itself where a file cannot be read."""


class CompileError(PluginError):
    """The plugin's bytes are not a valid WebAssembly module."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def _words(self) -> str:
        return f"Failed to compile plugin: {self.details}"


class InstantiateError(PluginError):
    """The plugin is a valid module but could not be brought to life."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def _words(self) -> str:
        return f"Failed to instantiate plugin: {self.details}"


class MissingExportError(PluginError):
    """The plugin lacks an export that ABI v1 requires."""

    def __init__(self, export: str) -> None:
        super().__init__(export)
        self.export = export

    def _words(self) -> str:
        return f"Missing required export '{self.export}' in plugin"


class WrongExportTypeError(PluginError):
    """An export of the ABI is there, but is not what the ABI says it is."""

    def __init__(self, export: str, details: str) -> None:
        super().__init__(export, details)
        self.export = export
        self.details = details

    def _words(self) -> str:
        return f"Export '{self.export}' has the wrong type: {self.details}"


class VersionMismatchError(PluginError):
    """The plugin's version is empty, or it was built for another version of the ABI.

    Attributes:
        version: the empty version, or the version of the ABI that it was built for.
    """

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version

    def _words(self) -> str:
        if not self.version:
            return "Plugin version mismatch: the plugin's version is empty"
        return f"Plugin version mismatch: it is for version {self.version} of the plugin ABI, not 1"


class ToolExecutionError(PluginError):
    """A tool trapped, or gave or was given something that the ABI does not allow."""

    def __init__(self, tool: str, details: str) -> None:
        super().__init__(tool, details)
        self.tool = tool
        self.details = details

    def _words(self) -> str:
        return f"Tool execution failed for '{self.tool}': {self.details}"


class ToolError(_Worded, Exception):
    """Something is wrong with a tool call or with what is in a registry."""


class ToolNotFoundError(ToolError):
    """No tool of that name is registered."""

    def __init__(self, tool: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(tool, known)
        self.tool = tool
        self.known = known

    def _words(self) -> str:
        known = f" (there are: {', '.join(self.known)})" if self.known else ""
        return f"Tool '{self.tool}' not found{known}"


class InvalidArgumentsError(ToolError):
    """The arguments of a call do not fit the tool's JSON Schema; the tool did not run."""

    def __init__(self, tool: str, details: str) -> None:
        super().__init__(tool, details)
        self.tool = tool
        self.details = details

    def _words(self) -> str:
        return f"Invalid arguments for tool '{self.tool}': {self.details}"


class DuplicateToolError(ToolError):
    """A tool of that name is registered already."""

    def __init__(self, tool: str) -> None:
        super().__init__(tool)
        self.tool = tool

    def _words(self) -> str:
        return f"Tool '{self.tool}' is already registered"


class DebuggerError(WasmError):
    """The debugger cannot do what it was asked for; the session goes on."""


class HitCountError(DebuggerError, ValueError):
    """The hit count of a breakpoint is less than 1.

    Attributes:
        count: as it was given.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def _words(self) -> str:
        return f"a hit count must be 1 or more: {self.count}"


class LocationError(DebuggerError):
    """A location is none of the program's.

    Attributes:
        location: as it was given.
        details: what is wrong with it.
    """

    def __init__(self, location: str, details: str) -> None:
        super().__init__(location, details)
        self.location = location
        self.details = details

    def _words(self) -> str:
        return f"no such location '{self.location}': {self.details}"


class ExpressionError(DebuggerError):
    """An expression cannot be read, or has no value here.

    Attributes:
        expression: its text.
        details: what is wrong with it.
    """

    def __init__(self, expression: str, details: str) -> None:
        super().__init__(expression, details)
        self.expression = expression
        self.details = details

    def _words(self) -> str:
        return f"'{self.expression}': {self.details}"
