"""The trap that an error of pywasm's means, and its backtrace."""

from __future__ import annotations

import struct

import pywasm

from purewasm_plugins.errors import StackFrame, Trap, TrapReason, WasmError
from purewasm_plugins.runtime.backtrace import stack_frame
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.binary.instructions import Instruction

#: What ends a call with a trap: ours, the end of Python's stack, and what pywasm raises.
TRAPPING = (
    *(Trap, RecursionError, AssertionError, ArithmeticError, LookupError, ValueError),
    struct.error,
)


def trap_of(error: Exception, stack: pywasm.core.Stack, instance: Instance) -> Trap:
    """Convert an error that ended a call to a trap with the active functions as its frames.

    Args:
        error: one of `TRAPPING`.
        stack: as it was when the error was raised.
        instance: the instance whose functions are on the stack.

    Raises:
        WasmError: pywasm cannot run the instruction.
    """
    match error:
        case Trap():
            trap = error
        case RecursionError():
            trap = Trap(TrapReason.CALL_STACK_EXHAUSTED)
        case _:
            instruction = fetched(stack.label[-1]) if stack.label else None
            trap = Trap(_reason(error, "" if instruction is None else instruction.opcode.mnemonic))
    return trap.with_frames(trap.frames + _frames(stack, instance, inner=trap.frames))


def _reason(error: Exception, mnemonic: str) -> TrapReason:
    """Tell the reason of a trap from an error of pywasm's and the instruction that raised it."""
    operation = mnemonic.partition(".")[2]
    if mnemonic == "unreachable":
        return TrapReason.UNREACHABLE
    if mnemonic in ("call", "call_indirect", ""):
        return TrapReason.CALL_STACK_EXHAUSTED
    if operation.startswith(("load", "store")):
        return TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
    if operation.startswith(("div", "rem")):
        if isinstance(error, ZeroDivisionError):
            return TrapReason.INTEGER_DIVIDE_BY_ZERO
        return TrapReason.INTEGER_OVERFLOW
    if operation.startswith("trunc"):
        if isinstance(error, ValueError):
            return TrapReason.INVALID_CONVERSION_TO_INTEGER
        return TrapReason.INTEGER_OVERFLOW
    raise WasmError(f"pywasm cannot run {mnemonic}: {type(error).__name__}: {error}") from error


def fetched(label: pywasm.core.Label) -> Instruction | None:
    """Return the instruction that was last fetched from a label's list; None for a meter."""
    if not label.index:
        return None
    # Not `instr[index]`: a list of a debugger's counts what is fetched so.
    instruction: Instruction | None = list.__getitem__(label.instr, label.index - 1).instruction
    return instruction


def _frames(
    stack: pywasm.core.Stack, instance: Instance, *, inner: tuple[StackFrame, ...]
) -> tuple[StackFrame, ...]:
    """Describe the active functions, innermost first.

    Args:
        inner: the frames of calls out of this instance, which are further inside.
    """
    frames: list[StackFrame] = []
    end = len(stack.label)
    for frame in reversed(stack.frame[1:]):
        if frame.label >= end:
            # Python's stack ended before the label of the function's body was pushed.
            continue
        label = stack.label[end - 1]
        index = stack.label[frame.label].instr.function
        end = frame.label
        instruction = fetched(label)
        offset = instruction.offset if instruction else None
        innermost = not frames and not inner
        frames.append(stack_frame(instance, index, offset, innermost=innermost))
    return tuple(frames)
