"""Texts about a session that the command and the page share.

They contain names and strings of the plugin as they are: escape them before printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.machine.program import Program
from purewasm_plugins.debugger.machine.reasons import Stop, StopReason, Write
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.errors import PluginError
from purewasm_plugins.runtime.instance import Function


@dataclass(frozen=True, slots=True)
class Focus:
    """The memory to show.

    Attributes:
        address: of its first byte.
        text: the reason, as part of a sentence.
    """

    address: int
    text: str


def value_text(value: Any, program: Program | None = None) -> str:
    """Word a value: an integer of two digits or more with its hexadecimal form.

    Args:
        value: any value of a session.
        program: the session's, which has names for its functions.
    """
    if isinstance(value, bytes):
        return value.hex(" ", 4)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10:
        bits = 0xFFFFFFFF if -(1 << 31) <= value < 1 << 32 else 0xFFFFFFFFFFFFFFFF
        char = f" {chr(value)!r}" if 32 < value < 127 else ""
        return f"{value} {value & bits:#x}{char}"
    if value is None:
        return "null"
    if isinstance(value, Function):
        return f"function {_function_name(value, program) or value.index}"
    return str(value)


def _function_name(function: Function, program: Program | None) -> str | None:
    """Return the name of a function: the program's, if it is one of its functions."""
    instance = function.instance
    if instance is None or function.index is None or program is None:
        return function.name
    ours = instance.module.module is program.module
    return program.function_name(function.index) if ours else function.name


def why(stop: Stop, program: Program) -> str:
    """Word the reason of a stop as a sentence; as nothing for a plain step."""
    match stop.reason:
        case StopReason.ENTRY:
            return "At the start."
        case StopReason.BREAKPOINT if stop.breakpoint is not None:
            return f"Breakpoint {stop.breakpoint.number}."
        case StopReason.WATCHPOINT if stop.watchpoint is not None and stop.write is not None:
            write = stop.write
            return f"Watchpoint {stop.watchpoint.number}: {write_text(write, program)}."
        case StopReason.TRAP if stop.trap is not None:
            words = stop.trap.with_frames(()).summary
            return f"Trap: {words}. This is the state just before it."
        case StopReason.HOST_CALL if stop.exception is not None:
            kind = type(stop.exception).__name__
            return f"The host function raised {kind}: {stop.exception}"
        case StopReason.HOST_CALL:
            return "About to call a function of the host."
        case StopReason.FINISHED:
            return "The call has finished."
        case StopReason.INTERRUPTED:
            return "Interrupted."
    return ""


def write_text(write: Write, program: Program) -> str:
    """Word a write as part of a sentence."""
    location = f"{write.instruction.opcode} at {write.location.offset:#x}"
    function = program.function_name(write.location.function)
    old, new = (_written(write, value) for value in (write.old, write.new))
    match write.kind:
        case "memory":
            place = f"memory at {write.address:#x}"
        case "global":
            place = f"global {program.global_name(write.address) or write.address}"
        case _:
            name = program.local_name(write.location.function, write.address)
            place = f"local {name or write.address}"
    return f"{place} went from {old} to {new} in step {write.step:,} ({location}, {function})"


def _written(write: Write, value: Any) -> str:
    if write.kind != "memory":
        return str(value) if value is not None else "null"
    start = bytes(value[:8])
    text = start.hex(" ") + (" …" if len(value) > 8 else "")
    if all(32 <= byte < 127 for byte in start):
        text += f" {start.decode()!r}"
    return text


def focus(session: DebugSession) -> Focus | None:
    """Choose the memory to show.

    It is what the next instruction accesses; else the output, once the tool has returned; else what
    the last move changed.
    """
    accesses = [a for a in session.view.accesses() if a.address < session.view.memory_size()]
    if accesses:
        access = accesses[-1]
        verb = "writes" if access.is_write else "reads"
        count = f"{access.size} byte{'s' * (access.size != 1)}"
        return Focus(access.address, f"it {verb} {count} at {access.address:#x}")
    output = _output_address(session)
    if output is not None:
        return Focus(output, f"the output at {output:#x}")
    changes = session.view.changes().memory
    return Focus(changes[0][0], f"changed at {changes[0][0]:#x}") if changes else None


def _output_address(session: DebugSession) -> int | None:
    """Return the address of the tool's output; None before it has returned a string."""
    try:
        has_output = session.output is not None
    except PluginError:
        return None
    results = session.stop.results
    return results[0] & 0xFFFFFFFF if has_output and results else None
