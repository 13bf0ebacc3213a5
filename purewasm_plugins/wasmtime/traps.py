"""`Trap`, its frames and its code; and from the errors of the runtime to the interface's."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from purewasm_plugins import errors
from purewasm_plugins.errors import StackFrame, TrapReason, escape_controls
from purewasm_plugins.wasm import Code, ValidModule
from purewasm_plugins.wasm.symbols.rust import readable_name
from purewasm_plugins.wasmtime.errors import ExitTrap, WasmtimeError, exit_words
from purewasm_plugins.wasmtime.managed import Managed

__all__ = ["Frame", "Trap", "TrapCode", "outward"]

#: Frames that a trap has at most, the innermost first.
_MOST_FRAMES = 20

#: Exit statuses from this one on are errors: a shell has another use for them.
_EXIT_CODES = 126


class TrapCode(Enum):
    """The reason of a trap. Many are of what this package does not have, and never occur."""

    STACK_OVERFLOW = 0
    MEMORY_OUT_OF_BOUNDS = 1
    HEAP_MISALIGNED = 2
    TABLE_OUT_OF_BOUNDS = 3
    INDIRECT_CALL_TO_NULL = 4
    BAD_SIGNATURE = 5
    INTEGER_OVERFLOW = 6
    INTEGER_DIVISION_BY_ZERO = 7
    BAD_CONVERSION_TO_INTEGER = 8
    UNREACHABLE = 9
    INTERRUPT = 10
    OUT_OF_FUEL = 11
    ATOMIC_WAIT_NON_SHARED_MEMORY = 12
    NULL_REFERENCE = 13
    ARRAY_OUT_OF_BOUNDS = 14
    ALLOCATION_TOO_LARGE = 15
    CAST_FAILURE = 16
    CANNOT_ENTER_COMPONENT = 17
    NO_ASYNC_RESULT = 18
    UNHANDLED_TAG = 19
    CONTINUATION_ALREADY_CONSUMED = 20
    DISABLED_OPCODE = 21
    ASYNC_DEADLOCK = 22
    CANNOT_LEAVE_COMPONENT = 23
    CANNOT_BLOCK_SYNC_TASK = 24
    INVALID_CHAR = 25
    DEBUG_ASSERT_STRING_ENCODING_FINISHED = 26
    DEBUG_ASSERT_EQUAL_CODE_UNITS = 27
    DEBUG_ASSERT_POINTER_ALIGNED = 28
    DEBUG_ASSERT_UPPER_BITS_UNSET = 29
    STRING_OUT_OF_BOUNDS = 30
    LIST_OUT_OF_BOUNDS = 31
    INVALID_DISCRIMINANT = 32
    UNALIGNED_POINTER = 33
    TASK_CANCEL_NOT_CANCELLED = 34
    TASK_CANCEL_OR_RETURN_TWICE = 35
    SUBTASK_CANCEL_AFTER_TERMINAL = 36
    TASK_RETURN_INVALID = 37
    WAITABLE_SET_DROP_HAS_WAITERS = 38
    SUBTASK_DROP_NOT_RESOLVED = 39
    THREAD_NEW_INDIRECT_INVALID_TYPE = 40
    THREAD_NEW_INDIRECT_UNINITIALIZED = 41
    BACKPRESSURE_OVERFLOW = 42
    UNSUPPORTED_CALLBACK_CODE = 43
    CANNOT_RESUME_THREAD = 44
    CONCURRENT_FUTURE_STREAM_OP = 45
    REFERENCE_COUNT_OVERFLOW = 46
    STREAM_OP_TOO_BIG = 47
    WAITABLE_SYNC_AND_ASYNC = 48
    UNCAUGHT_EXCEPTION = 49


class Frame(Managed):
    """A function that was active at a trap."""

    def __init__(self, frame: StackFrame, start: int) -> None:
        """Take the frame, and where its function begins in the module; for this package only."""
        self._frame = frame
        self._start = start

    @property
    def func_index(self) -> int:
        """The index of the function in its module."""
        self.check_open()
        return self._frame.function or 0

    @property
    def func_name(self) -> str | None:
        """The name that the module's name section gives the function."""
        self.check_open()
        return self._frame.name

    @property
    def module_name(self) -> str | None:
        """The name that the module's name section gives the module."""
        self.check_open()
        return self._frame.module

    @property
    def module_offset(self) -> int:
        """The byte offset in the module of the instruction that the function had reached."""
        self.check_open()
        return self._frame.offset or 0

    @property
    def func_offset(self) -> int:
        """The byte offset of that instruction from the beginning of the function's body."""
        return self.module_offset - self._start

    def __str__(self) -> str:
        name = self.func_name
        shown = f"<wasm function {self.func_index}>" if name is None else readable_name(name)
        # A module chooses its names: they must not act on a terminal.
        names = escape_controls(f"{self.module_name or '<unknown>'}!{shown}")
        return f"{self.module_offset:#8x} - {names}"


class Trap(Exception, Managed):
    """Execution was aborted: by an instruction, by a limit, or by a host function that raises it.

    It can be raised in a host function, as `Trap("why")`.
    """

    def __init__(self, message: str) -> None:
        """Take the text of the trap.

        Raises:
            AttributeError: `message` is no text.
        """
        message.encode()
        super().__init__(message)
        self._frames: tuple[Frame, ...] = ()
        self._code: TrapCode | None = None

    @classmethod
    def of(cls, reason: str, code: TrapCode | None, frames: Sequence[Frame]) -> Trap:
        """Return a trap with a backtrace; for this package only.

        Args:
            reason: its words.
            code: its code; None for a reason that has none.
            frames: the functions that were active, innermost first.
        """
        trap = cls(_with_backtrace(f"wasm trap: {reason}", frames))
        trap._frames = tuple(frames)
        trap._code = code
        return trap

    @property
    def message(self) -> str:
        """The text, with the backtrace."""
        self.check_open()
        return str(self.args[0])

    @property
    def frames(self) -> list[Frame]:
        """The functions of modules that were active, innermost first."""
        self.check_open()
        return [*self._frames]

    @property
    def trap_code(self) -> TrapCode | None:
        """The reason; None for a trap that a host function made."""
        self.check_open()
        return self._code

    def __str__(self) -> str:
        return self.message


#: The code and the words of each reason that has a code.
_REASONS = {
    TrapReason.UNREACHABLE: (TrapCode.UNREACHABLE, "wasm `unreachable` instruction executed"),
    TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS: (
        TrapCode.MEMORY_OUT_OF_BOUNDS,
        "out of bounds memory access",
    ),
    TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS: (
        TrapCode.TABLE_OUT_OF_BOUNDS,
        "undefined element: out of bounds table access",
    ),
    TrapReason.INTEGER_DIVIDE_BY_ZERO: (
        TrapCode.INTEGER_DIVISION_BY_ZERO,
        "integer divide by zero",
    ),
    TrapReason.INTEGER_OVERFLOW: (TrapCode.INTEGER_OVERFLOW, "integer overflow"),
    TrapReason.INVALID_CONVERSION_TO_INTEGER: (
        TrapCode.BAD_CONVERSION_TO_INTEGER,
        "invalid conversion to integer",
    ),
    TrapReason.INDIRECT_CALL_TYPE_MISMATCH: (
        TrapCode.BAD_SIGNATURE,
        "indirect call type mismatch",
    ),
    TrapReason.UNINITIALIZED_ELEMENT: (TrapCode.INDIRECT_CALL_TO_NULL, "uninitialized element"),
    TrapReason.UNDEFINED_ELEMENT: (
        TrapCode.TABLE_OUT_OF_BOUNDS,
        "undefined element: out of bounds table access",
    ),
    TrapReason.CALL_STACK_EXHAUSTED: (TrapCode.STACK_OVERFLOW, "call stack exhausted"),
    TrapReason.OUT_OF_FUEL: (TrapCode.OUT_OF_FUEL, "all fuel consumed by WebAssembly"),
    TrapReason.CANCELLED: (TrapCode.INTERRUPT, "interrupt"),
}


def _with_backtrace(cause: str, frames: Sequence[Frame]) -> str:
    """Return the text of an error with the functions that were active, if any were."""
    if not frames:
        return cause
    lines = "".join(f"{index:5}: {frame}\n" for index, frame in enumerate(frames))
    return f"error while executing at wasm backtrace:\n{lines}\nCaused by:\n    {cause}\n"


def outward(error: Exception, modules: Sequence[ValidModule] = ()) -> Exception:
    """Return what to raise in place of an error of the runtime.

    Args:
        error: any exception; one that is not the runtime's is returned as it is.
        modules: the modules whose functions may have been active.
    """
    match error:
        case errors.Exited():
            frames = _frames(error, modules)
            if error.code < _EXIT_CODES:
                return ExitTrap(error.code, _with_backtrace(exit_words(error.code), frames))
            words = f"exit with invalid exit status outside of [0..{_EXIT_CODES})"
            return WasmtimeError(_with_backtrace(words, frames))
        case errors.Trap():
            code, words = _REASONS.get(error.reason, (None, error.with_frames(()).summary))
            return Trap.of(words, code, _frames(error, modules))
        case errors.PureWasmError():
            return WasmtimeError(str(error))
    return error


def _frames(trap: errors.Trap, modules: Sequence[ValidModule]) -> list[Frame]:
    return [Frame(frame, _start(frame, modules)) for frame in trap.frames[:_MOST_FRAMES]]


def _start(frame: StackFrame, modules: Sequence[ValidModule]) -> int:
    """Return where the body of a frame's function begins, in the first module that it fits."""
    for valid in modules:
        module = valid.module
        index = (frame.function or 0) - module.imported_functions
        if valid.names.module == frame.module and 0 <= index < len(module.functions):
            code = module.functions[index]
            if code.body.start <= (frame.offset or 0) < code.body.end:
                return code.body.start - _size_of_locals(code)
    return 0


def _size_of_locals(code: Code) -> int:
    """Return how many bytes declare the locals of a function."""
    numbers = [len(code.locals), *(count for count, _ in code.locals)]
    return len(code.locals) + sum(max(-(-number.bit_length() // 7), 1) for number in numbers)
