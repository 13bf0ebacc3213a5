"""The exceptions that the package raises on purpose: one root, and a tree for each room.

    PureWasmError
    ├── WasmError                   a module, what it is linked to, how it runs
    │   ├── TextError                   the text is no module
    │   ├── DecodeError                 the bytes are no module
    │   ├── ValidationError             the module breaks a rule of validation
    │   ├── LinkError                   an import is missing or has another type
    │   ├── ResourceLimitError          the module declares more than a limit allows
    │   ├── UnknownEngineError          no such engine, or it cannot run here
    │   ├── UnknownExportError          the instance has no export of that name (a KeyError too)
    │   ├── ExportKindError             the export is a memory, not a function (a TypeError too)
    │   ├── StringError                 a text cannot be passed as a string (a ValueError too)
    │   ├── GrantError                  what WASI was granted is not there, or cannot be stored
    │   ├── NotACommandError            the module is no program to run: it exports no _start
    │   └── Trap                        execution was aborted
    │       ├── OutOfFuel, DeadlineExceeded, Cancelled, OutOfMemory, MemoryInUse
    │       ├── InvalidString               no string can be read at a pointer
    │       ├── Exited                      the module called proc_exit
    │       └── Aborted                     the module called abort
    ├── PluginError                 a plugin cannot be loaded or used
    │   ├── PluginFileError             the file or the directory cannot be read
    │   ├── InvalidOptionError          an option or a grant is wrong (a TypeError, ValueError too)
    │   ├── CompileError                the bytes are no valid module
    │   ├── InstantiateError            the module cannot be instantiated
    │   ├── MissingExportError          an export of the ABI is missing
    │   ├── WrongExportTypeError        an export of the ABI has another type
    │   ├── VersionMismatchError        the plugin's version is empty
    │   │   └── AbiVersionError             the plugin was built for another version of the ABI
    │   ├── DuplicatePluginError        the manager has a plugin of that name
    │   ├── PluginNotFoundError         the manager has no plugin of that name
    │   ├── PluginClosedError           the plugin was closed
    │   ├── ManifestError               a manifest or its lock file is wrong
    │   ├── PluginHashError             a plugin's bytes are not those that were expected
    │   └── ToolExecutionError          a call of a tool failed
    │       ├── ToolFailedError             the tool itself reported that it failed
    │       └── PoolFullError, WorkerError  of many calls at once
    ├── ToolError                   a call through a registry, or what is in one
    │   ├── ToolNotFoundError, InvalidArgumentsError, DuplicateToolError, ToolFormatError
    │   └── ToolRefusedError            a call that was not approved
    └── DebuggerError               the debugger cannot do what it was asked for
        └── LocationError, ExpressionError, HitCountError

The debugger's are in `debugger.errors`, those of manifests and many calls in
`plugin.errors`, all others here.

The fields of an error are attributes and constructor arguments in the same order, so that each
error can be pickled. No input (bytes, plugin, string) raises any other exception. The text of an
error contains names that a plugin chose: `escape_controls` makes them harmless in `str(error)`; the
attributes keep them unchanged.
"""

from __future__ import annotations

from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.records import Record

__all__ = [
    "AbiVersionError",
    "Aborted",
    "Cancelled",
    "CompileError",
    "DeadlineExceeded",
    "DecodeError",
    "DuplicatePluginError",
    "DuplicateToolError",
    "Exited",
    "ExportKindError",
    "GrantError",
    "InstantiateError",
    "InvalidArgumentsError",
    "InvalidOptionError",
    "InvalidString",
    "LinkError",
    "MemoryInUse",
    "MissingExportError",
    "NotACommandError",
    "OutOfFuel",
    "OutOfMemory",
    "PluginClosedError",
    "PluginError",
    "PluginFileError",
    "PluginNotFoundError",
    "PureWasmError",
    "ResourceLimitError",
    "StackFrame",
    "StringError",
    "TextError",
    "ToolError",
    "ToolExecutionError",
    "ToolFailedError",
    "ToolFormatError",
    "ToolNotFoundError",
    "Trap",
    "TrapReason",
    "UnknownEngineError",
    "UnknownExportError",
    "ValidationError",
    "VersionMismatchError",
    "WasmError",
    "WrongExportTypeError",
]


#: Each control character (C0, DEL and C1), line separator, and character that embeds, overrides or
#: isolates a direction of text, with its escape.
_ESCAPES = {
    code: repr(chr(code))[1:-1]
    for codes in ((0x00, 0x1F), (0x7F, 0x9F), (0x2028, 0x202E), (0x2066, 0x2069))
    for code in range(codes[0], codes[1] + 1)
}


def escape_controls(text: str, keep: str = "") -> str:
    """Escape what could act on a terminal or forge a line of a log.

    Args:
        text: any text, for example a name that a plugin chose.
        keep: the control characters that stay as they are.

    Returns:
        The text in which control characters, and those that change the direction of text, are
        written as the escapes of a Python string.
    """
    if text.isprintable():
        return text
    kept = dict.fromkeys(map(ord, keep))
    return text.translate({code: _ESCAPES[code] for code in _ESCAPES if code not in kept})


class PureWasmError(Exception):
    """The root of all exceptions of this package.

    A subclass words its fields in `_words`; `str(error)` escapes them.
    """

    def __str__(self) -> str:
        return escape_controls(self._words())

    def _words(self) -> str:
        return super().__str__()


def _suggestion(name: str, known: tuple[str, ...], these: str = "there are") -> str:
    """Return what follows "there is no such name" in an error: a similar name, and all of them."""
    # Imported here: `import purewasm_plugins` does not need it.
    from purewasm_plugins.support.suggestions import listed, similar_name

    similar = similar_name(name, known)
    question = f"; did you mean '{similar}'?" if similar is not None else ""
    return f"{question} ({these}: {listed(known)})" if known else ""


class WasmError(PureWasmError):
    """Something is wrong with a module, with what it is linked to, or with how it runs."""

    @property
    def summary(self) -> str:
        """The error in one line."""
        return self._words()


class TextError(WasmError):
    """A text is not a module in the text format (core specification, section 6).

    Attributes:
        message: the fault, in the wording of the specification's test suite.
        line, column: its place, both from 1 on; the column counts characters.
        shown: the line; of a long one the part around the column.
        caret: the characters of `shown` before the fault.
        file: the path of the file, or None.
    """

    def __init__(
        self,
        message: str,
        line: int,
        column: int,
        shown: str = "",
        caret: int = 0,
        file: str | None = None,
    ) -> None:
        super().__init__(message, line, column, shown, caret, file)
        self.message = message
        self.line = line
        self.column = column
        self.shown = shown
        self.caret = caret
        self.file = file

    def _words(self) -> str:
        if self.file is None:
            return f"{self.message} (line {self.line}, column {self.column})"
        return f"{self.file}:{self.line}:{self.column}: {self.message}"

    def in_file(self, file: str) -> TextError:
        """Return the same error with the path of the file."""
        return TextError(self.message, self.line, self.column, self.shown, self.caret, file)

    @property
    def excerpt(self) -> tuple[str, str]:
        """The line, and a line with a caret under the fault.

        What is not printable, such as a tab, is a space.
        """
        printable = [char if char.isprintable() else " " for char in self.shown]
        return "".join(printable), " " * self.caret + "^"


class DecodeError(WasmError):
    """The bytes are not a WebAssembly module (core specification, section 5).

    Attributes:
        message: the fault, in the wording of the specification's test suite.
        offset: its position, in bytes from the start of the module.
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
        offset: byte offset in the module; None where the fault is not at one byte.
        text: the same fault with its place in the text that the module was assembled from; None
            where there is no text, or no such place.
        field: outside of instructions, what breaks the rule: its kind, as "export", and its index
            in its index space or section; None for an instruction.
    """

    def __init__(
        self,
        message: str,
        function: int | None = None,
        offset: int | None = None,
        text: TextError | None = None,
        field: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(message, function, offset, text, field)
        self.message = message
        self.function = function
        self.offset = offset
        self.text = text
        self.field = field

    def _words(self) -> str:
        if self.text is not None:
            return self.text._words()
        where = [] if self.field is None else [f"in {self.field[0]} {self.field[1]}"]
        if self.function is not None:
            where.append(f"in function {self.function}")
        if self.offset is not None:
            where.append(f"at byte {self.offset:#x}")
        return f"{self.message} ({', '.join(where)})" if where else self.message


class LinkError(WasmError):
    """An import is missing or does not match its declared type (core specification, 4.5.4).

    Attributes:
        module, name: the two names of the import.
        details: the fault, in the wording of the specification's test suite.
        available: the imports that were given, each as "module.name".
        advice: what would give it; empty where that is unknown.
    """

    def __init__(
        self,
        module: str,
        name: str,
        details: str = "unknown import",
        available: tuple[str, ...] = (),
        advice: str = "",
    ) -> None:
        super().__init__(module, name, details, available, advice)
        self.module = module
        self.name = name
        self.details = details
        self.available = available
        self.advice = advice

    def _words(self) -> str:
        given = _suggestion(f"{self.module}.{self.name}", self.available, "the host gave")
        advice = f"; {self.advice}" if self.advice else ""
        return f"{self.details}: import '{self.name}' from module '{self.module}'{given}{advice}"


class ResourceLimitError(WasmError):
    """A module declares more than its limits allow; nothing was allocated.

    Attributes:
        limit: the field of `ResourceLimits` that refused it.
        requested, allowed: in the limit's own unit; `allowed` is None where the limit allows it but
            the machine does not have so much.
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
        """The reason for the refusal, in words."""
        if self.allowed is None:
            return "there is no room for them on this machine"
        return f"the limit is {self.allowed}"


class UnknownEngineError(WasmError):
    """There is no engine of that name, or it cannot run here.

    Attributes:
        engine: the name.
        available: the names of the engines that there are.
        details: why the engine cannot run here, and what to do; empty where there is none of that
            name.
    """

    def __init__(self, engine: str, available: tuple[str, ...] = (), details: str = "") -> None:
        super().__init__(engine, available, details)
        self.engine = engine
        self.available = available
        self.details = details

    def _words(self) -> str:
        if self.details:
            return f"the engine '{self.engine}' cannot run here: {self.details}"
        return f"there is no engine '{self.engine}'{_suggestion(self.engine, self.available)}"


class UnknownExportError(WasmError, KeyError):
    """An instance has no export of that name.

    Attributes:
        name: the name that was asked for.
        available: the names of what it exports.
    """

    def __init__(self, name: str, available: tuple[str, ...] = ()) -> None:
        super().__init__(name, available)
        self.name = name
        self.available = available

    def _words(self) -> str:
        there = _suggestion(self.name, self.available) or ": the module exports nothing"
        return f"there is no export '{self.name}'{there}"


class ExportKindError(WasmError, TypeError):
    """An export is of another kind than the one asked for.

    Attributes:
        name: the name of the export.
        expected, found: "function", "memory", "table" or "global".
    """

    def __init__(self, name: str, expected: str, found: str) -> None:
        super().__init__(name, expected, found)
        self.name = name
        self.expected = expected
        self.found = found

    def _words(self) -> str:
        method = "global_" if self.found == "global" else self.found
        return (
            f"the export '{self.name}' is a {self.found}, not a {self.expected}:"
            f" exports.{method}({self.name!r}) returns it"
        )


class TrapReason(Enum):
    """The reason of a trap, in the wording of the specification's test suite where it has one."""

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
    MEMORY_IN_USE = "the memory cannot grow while the host holds a view of it"
    INVALID_STRING = "invalid string"
    EXITED = "exited"
    ABORTED = "aborted"

    def __str__(self) -> str:
        return self.value


class StackFrame(Record):
    """One WebAssembly function that was active at a trap.

    Attributes:
        function: its index in its module; None for a host function.
        name: its name from the name section or an export, where it has one.
        module: the module's own name, where it has one.
        offset: byte offset in the module of the instruction that was executed.
        instruction: that instruction as text; for the innermost frame only.
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
        reason: the reason, also in the text.
        frames: the WebAssembly backtrace, innermost first.
    """

    #: Frames shown at each end of a long backtrace.
    SHOWN = 8

    def __init__(self, reason: TrapReason, frames: tuple[StackFrame, ...] = ()) -> None:
        super().__init__(reason, frames)
        self.reason = reason
        self.frames = frames

    def with_frames(self, frames: tuple[StackFrame, ...]) -> Trap:
        """Return the same trap with another backtrace."""
        return type(self)(self.reason, frames)

    @property
    def summary(self) -> str:
        """The trap in one line: of its backtrace, the innermost frame."""
        return f"{self._words()} in {self.frames[0]}" if self.frames else self._words()

    def backtrace(self) -> list[str]:
        """Return the frames as text, without the middle of a long backtrace."""
        lines = [f"in {frame}" for frame in self.frames]
        hidden = len(lines) - 2 * self.SHOWN
        if hidden > 0:
            lines[self.SHOWN : -self.SHOWN] = [f"... {hidden} more frames"]
        return lines

    def _words(self) -> str:
        return self.reason.value

    def __str__(self) -> str:
        # Each frame escapes its own line: the line breaks between them stay.
        return "\n  ".join([self._words(), *self.backtrace()])


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
    """Python could not allocate the memory that the call needed, though the limits allow it."""

    def __init__(
        self,
        reason: TrapReason = TrapReason.OUT_OF_MEMORY,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class MemoryInUse(Trap):
    """A memory had to grow while the host held a view of it.

    A `Memory.view` is released at the end of its `with`; what was made of it and is kept, a slice
    or an array of numpy, holds the memory as long as it lives.
    """

    def __init__(
        self,
        reason: TrapReason = TrapReason.MEMORY_IN_USE,
        frames: tuple[StackFrame, ...] = (),
    ) -> None:
        super().__init__(reason, frames)


class InvalidString(Trap):
    """A module gave a host a pointer at which no string can be read.

    Attributes:
        details: what is wrong with it.
    """

    def __init__(self, details: str, frames: tuple[StackFrame, ...] = ()) -> None:
        super().__init__(TrapReason.INVALID_STRING, frames)
        # The constructor's arguments, for `pickle`.
        self.args = (details, frames)
        self.details = details

    def with_frames(self, frames: tuple[StackFrame, ...]) -> Trap:
        """Return the same trap with another backtrace."""
        return type(self)(self.details, frames)

    def _words(self) -> str:
        return escape_controls(self.details)


class Exited(Trap):
    """The module called `proc_exit`: it has ended, and must not be called again.

    Attributes:
        code: the exit code, unsigned; 0 is success.
    """

    def __init__(self, code: int, frames: tuple[StackFrame, ...] = ()) -> None:
        super().__init__(TrapReason.EXITED, frames)
        # The constructor's arguments, for `pickle`.
        self.args = (code, frames)
        self.code = code

    def with_frames(self, frames: tuple[StackFrame, ...]) -> Trap:
        """Return the same trap with another backtrace."""
        return type(self)(self.code, frames)

    def _words(self) -> str:
        return f"the module exited with code {self.code}"


class Aborted(Trap):
    """The module called `abort`, as AssemblyScript and emscripten have it.

    Attributes:
        details: what the module said.
    """

    def __init__(self, details: str, frames: tuple[StackFrame, ...] = ()) -> None:
        super().__init__(TrapReason.ABORTED, frames)
        # The constructor's arguments, for `pickle`.
        self.args = (details, frames)
        self.details = details

    def with_frames(self, frames: tuple[StackFrame, ...]) -> Trap:
        """Return the same trap with another backtrace."""
        return type(self)(self.details, frames)

    def _words(self) -> str:
        return escape_controls(f"abort: {self.details}")


class GrantError(WasmError):
    """What was granted through WASI is not there, or what was changed in it cannot be stored.

    Attributes:
        path: the directory on the host, as text.
        details: the reason.
    """

    def __init__(self, path: str, details: str) -> None:
        super().__init__(path, details)
        self.path = path
        self.details = details

    def _words(self) -> str:
        return f"the directory '{self.path}' {self.details}"


class NotACommandError(WasmError):
    """A module is no program to run.

    Attributes:
        details: what it lacks, and what it is instead.
    """

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def _words(self) -> str:
        return f"the module is no command: {self.details}"


class StringError(WasmError, ValueError):
    """A text cannot be encoded as a string, or a string cannot be passed.

    Attributes:
        details: the reason.
    """

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details


class PluginError(PureWasmError):
    """A plugin cannot be loaded or used."""


class PluginFileError(PluginError):
    """A plugin's file, or a directory of plugins, cannot be read.

    Attributes:
        path: the path, as text.
        details: the reason.
        kind: "plugin" or "plugin directory".
    """

    def __init__(self, path: str, details: str, kind: str = "plugin") -> None:
        super().__init__(path, details, kind)
        self.path = path
        self.details = details
        self.kind = kind

    def _words(self) -> str:
        return f"Failed to read {self.kind} '{self.path}': {self.details}"


class InvalidOptionError(PluginError, ValueError, TypeError):
    """A field of `PluginOptions` or `Wasi`, or of a directory there, has a wrong type or value.

    Attributes:
        option: the field.
        details: what it must be, and what was given.
    """

    def __init__(self, option: str, details: str) -> None:
        super().__init__(option, details)
        self.option = option
        self.details = details

    def _words(self) -> str:
        return f"Invalid option '{self.option}': {self.details}"


class CompileError(PluginError):
    """The plugin's bytes are not a valid WebAssembly module.

    Attributes:
        details: the reason. `__cause__` is the `DecodeError`, `ValidationError` or `TextError`.
    """

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def _words(self) -> str:
        return f"Failed to compile plugin: {self.details}"


class InstantiateError(PluginError):
    """The plugin is a valid module but could not be instantiated.

    Attributes:
        details: the reason. `__cause__` is the `WasmError`.
    """

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def _words(self) -> str:
        return f"Failed to instantiate plugin: {self.details}"


class MissingExportError(PluginError):
    """The plugin lacks an export that ABI v1 requires.

    Attributes:
        export: its name.
    """

    def __init__(self, export: str) -> None:
        super().__init__(export)
        self.export = export

    def _words(self) -> str:
        return f"Missing required export '{self.export}' in plugin"


class WrongExportTypeError(PluginError):
    """An export has the name of one of the ABI's, but another type.

    Attributes:
        export: its name.
        details: the type that the ABI gives it, and the one that it has.
    """

    def __init__(self, export: str, details: str) -> None:
        super().__init__(export, details)
        self.export = export
        self.details = details

    def _words(self) -> str:
        return f"Export '{self.export}' has the wrong type: {self.details}"


class VersionMismatchError(PluginError):
    """The plugin's version is empty, or (`AbiVersionError`) it was built for another ABI.

    Attributes:
        version: the version that does not fit: the plugin's own, or that of the ABI.
    """

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version

    def _words(self) -> str:
        found = (
            f"the plugin's version is {self.version}"
            if self.version
            else ("the plugin's version is empty")
        )
        return f"Plugin version mismatch: {found}"


class AbiVersionError(VersionMismatchError):
    """The plugin was built for a version of the plugin ABI that this host does not support.

    Attributes:
        version: the version that the plugin was built for.
        supported: the version that this host supports.
    """

    def __init__(self, version: str, supported: int = 1) -> None:
        super().__init__(version)
        self.args = version, supported
        self.supported = supported

    def _words(self) -> str:
        return (
            f"Plugin version mismatch: it is for version {self.version} of the plugin ABI, not"
            f" {self.supported}: build it for version {self.supported}, or update this package"
        )


class DuplicatePluginError(PluginError):
    """The manager has a plugin of that name already.

    Attributes:
        plugin: the name that both plugins have.
        loaded, refused: the version of the plugin that is loaded, and of the one that was refused.
    """

    def __init__(self, plugin: str, loaded: str, refused: str) -> None:
        super().__init__(plugin, loaded, refused)
        self.plugin = plugin
        self.loaded = loaded
        self.refused = refused

    def _words(self) -> str:
        return (
            f"A plugin named '{self.plugin}' is already loaded: version {self.loaded} is, and"
            f" version {self.refused} was refused. Unload it first, or use a second manager"
        )


class PluginNotFoundError(PluginError):
    """The manager has no plugin of that name.

    Attributes:
        plugin: the name that was asked for.
        loaded: the names of the plugins that are loaded.
    """

    def __init__(self, plugin: str, loaded: tuple[str, ...] = ()) -> None:
        super().__init__(plugin, loaded)
        self.plugin = plugin
        self.loaded = loaded

    def _words(self) -> str:
        there = _suggestion(self.plugin, self.loaded) or ": no plugin is"
        return f"Plugin '{self.plugin}' is not loaded{there}"


class PluginClosedError(PluginError):
    """The plugin was closed: it has no instance any more.

    Attributes:
        plugin: its name.
    """

    def __init__(self, plugin: str) -> None:
        super().__init__(plugin)
        self.plugin = plugin

    def _words(self) -> str:
        return f"Plugin '{self.plugin}' is closed: load it again to use it"


class ToolExecutionError(PluginError):
    """A call of a tool failed: a trap, a limit, or something that the ABI does not allow.

    Attributes:
        tool: the name of the tool, or of the ABI's function that failed.
        details: the reason. `__cause__` is the `Trap`, where there was one.
    """

    def __init__(self, tool: str, details: str) -> None:
        super().__init__(tool, details)
        self.tool = tool
        self.details = details

    def _words(self) -> str:
        return f"Tool execution failed for '{self.tool}': {self.details}"


class ToolFailedError(ToolExecutionError):
    """A tool ran to its end and reported, by `plugin_tool_error`, that it failed.

    Attributes:
        tool: the name of the tool.
        details: the reason, in the tool's own words.
    """

    def _words(self) -> str:
        return f"Tool '{self.tool}' failed: {self.details}"


class ToolError(PureWasmError):
    """Something is wrong with a tool call or with what is in a registry."""


class ToolNotFoundError(ToolError):
    """No tool of that name is registered.

    Attributes:
        tool: the name that was asked for.
        known: the names of the tools that are registered.
    """

    def __init__(self, tool: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(tool, known)
        self.tool = tool
        self.known = known

    def _words(self) -> str:
        return f"Tool '{self.tool}' not found{_suggestion(self.tool, self.known)}"


class InvalidArgumentsError(ToolError):
    """The arguments of a call do not fit the tool's JSON Schema; the tool did not run.

    Attributes:
        tool: the name of the tool.
        details: the rule that they break.
    """

    def __init__(self, tool: str, details: str) -> None:
        super().__init__(tool, details)
        self.tool = tool
        self.details = details

    def _words(self) -> str:
        return f"Invalid arguments for tool '{self.tool}': {self.details}"


class ToolFormatError(ToolError):
    """A list of tools, or the answer of a model, does not have the form that an API has.

    Attributes:
        format: the name of the format, such as "openai".
        details: what the API has, and what was given.
    """

    def __init__(self, format: str, details: str) -> None:
        super().__init__(format, details)
        self.format = format
        self.details = details

    def _words(self) -> str:
        return f"Format '{self.format}': {self.details}"


class DuplicateToolError(ToolError):
    """A tool of that name is registered already, or is added twice.

    Attributes:
        tool: the name that both tools have.
        registered, refused: what each tool is from, in words such as "plugin 'json'": the one that
            has the name, and the one that was refused; None where a tool does not say.
    """

    def __init__(
        self, tool: str, registered: str | None = None, refused: str | None = None
    ) -> None:
        super().__init__(tool, registered, refused)
        self.tool = tool
        self.registered = registered
        self.refused = refused

    def _words(self) -> str:
        new = f" of {self.refused}" if self.refused is not None else ""
        old = f", by {self.registered}" if self.registered is not None else ""
        advice = "register it with a prefix, or with replace=True"
        return f"Tool '{self.tool}'{new} is already registered{old}: {advice}"
