"""From a Python exception in generated code to a `Trap` with the WebAssembly backtrace.

The traceback has the code object, the line and the columns of each active function. The function's
table of positions has the instruction of those columns; see `offset_at`. The reason of the
trap follows from the exception's type and from the instruction (section 4.4).
"""

from __future__ import annotations

import struct
from itertools import islice
from types import CodeType, TracebackType

from purewasm_plugins.engine.translator.caching import ModuleCode
from purewasm_plugins.engine.translator.translation import offset_at
from purewasm_plugins.errors import OutOfMemory, StackFrame, Trap, TrapReason
from purewasm_plugins.runtime.backtrace import stack_frame
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.support.typed import Any
from purewasm_plugins.wasm.binary.instructions import read_opcode

__all__ = ["Backtraces"]

#: What generated code raises where an instruction traps, beside `Trap`.
TRAPPING = (
    IndexError,
    OverflowError,
    RecursionError,
    struct.error,
    ZeroDivisionError,
)

#: The beginning of the names of the modules whose functions generated code calls.
_PACKAGE = __name__.partition(".")[0] + "."


class Backtraces:
    """The tracebacks of one instance, and the traps that they mean."""

    def __init__(self, instance: Instance, namespace: dict[str, Any], code: ModuleCode) -> None:
        self._instance = instance
        self._namespace = namespace
        self._code = code

    def trap(self, exception: Exception) -> Trap | None:
        """Return the trap that an exception of generated code means, or None."""
        if isinstance(exception, MemoryError):
            # A backtrace would need memory, too.
            return OutOfMemory()
        if not isinstance(exception, Trap) and not (
            isinstance(exception, TRAPPING) and self._is_ours(exception.__traceback__)
        ):
            return None
        active = self._active(exception.__traceback__)
        offsets = self._offsets(active)
        frames: list[StackFrame] = []
        inherited = exception.frames if isinstance(exception, Trap) else ()
        for code, instruction in active:
            index = int(code.co_name[1:])
            offset = offsets.get((index, instruction))
            innermost = not frames and not inherited
            frames.append(stack_frame(self._instance, index, offset, innermost=innermost))
        if isinstance(exception, Trap):
            return exception.with_frames(inherited + tuple(frames))
        offset = frames[0].offset if frames else None
        return Trap(self._reason(exception, offset), tuple(frames))

    def _is_ours(self, traceback: TracebackType | None) -> bool:
        """Return whether generated code or the package raised, and not a signal's handler."""
        innermost: dict[str, Any] = {}
        while traceback is not None:
            innermost = traceback.tb_frame.f_globals
            traceback = traceback.tb_next
        return innermost is self._namespace or innermost.get("__name__", "").startswith(_PACKAGE)

    def _active(self, traceback: TracebackType | None) -> list[tuple[CodeType, int]]:
        """Return code and instruction of each generated function, innermost first."""
        active = []
        while traceback is not None:
            frame = traceback.tb_frame
            if frame.f_globals is self._namespace:
                active.append((frame.f_code, traceback.tb_lasti))
            traceback = traceback.tb_next
        active.reverse()
        return active

    def _offsets(self, active: list[tuple[CodeType, int]]) -> dict[tuple[int, int], int | None]:
        """Return the offset of the WebAssembly instruction for each function and instruction.

        Python's table of a function's positions can only be read from its beginning. It is read
        once, however often the function is active: else a deep recursion in a large function would
        take minutes here.
        """
        codes: dict[int, CodeType] = {}
        wanted: dict[int, set[int]] = {}
        for code, instruction in active:
            index = int(code.co_name[1:])
            codes[index] = code
            wanted.setdefault(index, set()).add(instruction)
        found = {}
        for index, instructions in wanted.items():
            positions = self._code.positions(index)
            # Each instruction has two bytes.
            last = max(instructions) // 2
            for unit, raised in enumerate(islice(codes[index].co_positions(), last + 1)):
                if 2 * unit in instructions:
                    found[index, 2 * unit] = _offset(positions, raised)
        return found

    def _reason(self, exception: Exception, offset: int | None) -> TrapReason:
        """Return why the instruction at an offset raised the exception."""
        if isinstance(exception, RecursionError):
            return TrapReason.CALL_STACK_EXHAUSTED
        if isinstance(exception, ZeroDivisionError):
            return TrapReason.INTEGER_DIVIDE_BY_ZERO
        mnemonic = ""
        if offset is not None:
            mnemonic = read_opcode(self._instance.module.module.data, offset)[0].mnemonic
        if mnemonic == "call_indirect":
            return TrapReason.UNDEFINED_ELEMENT
        if mnemonic.startswith("table."):
            return TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS
        return TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS


def _offset(positions: bytes, raised: tuple[int | None, ...]) -> int | None:
    """Return the offset of the WebAssembly instruction at a line and columns."""
    line, _, first, last = raised
    if line is None:
        return None
    # `python -X no_debug_ranges` leaves columns out.
    return offset_at(positions, line, None if first is None or last is None else (first, last))
