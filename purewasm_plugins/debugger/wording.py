"""What every face of a session says alike: values, why it stopped, and which memory to look at.

The texts hold names and strings of the plugin as they are; who prints them makes them harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.program import Program
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.debugger.stops import Stop, StopReason, Write
from purewasm_plugins.errors import PluginError


@dataclass(frozen=True, slots=True)
class Focus:
    """The memory to look at.

    Attributes:
        address: of its first byte.
        text: why, as part of a sentence.
    """

    address: int
    text: str


def value_text(value: Any) -> str:
    """A value, with its hexadecimal form where one is likely to look for that."""
    if isinstance(value, bytes):
        return value.hex(" ", 4)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10:
        bits = 0xFFFFFFFF if -(1 << 31) <= value < 1 << 32 else 0xFFFFFFFFFFFFFFFF
        char = f" {chr(value)!r}" if 32 < value < 127 else ""
        return f"{value} {value & bits:#x}{char}"
    if value is None:
        return "null"
    if hasattr(value, "index") and hasattr(value, "entry"):
        return f"function {value.name or value.index}"
    return str(value)


def why(stop: Stop, program: Program) -> str:
    """The reason of a stop, as a sentence; nothing for a plain step."""
    match stop.reason:
        case StopReason.ENTRY:
            return "At the start."
        case StopReason.BREAKPOINT if stop.breakpoint is not None:
            return f"Breakpoint {stop.breakpoint.number}."
        case StopReason.WATCHPOINT if stop.watchpoint is not None and stop.write is not None:
            write = stop.write
            return f"Watchpoint {stop.watchpoint.number}: {write_text(write, program)}."
        case StopReason.TRAP if stop.trap is not None:
            return f"Trap: {stop.trap.reason}. This is the state just before it."
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
    """What was written where, as part of a sentence."""
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
    """What the next instruction touches, or else the answer, or what the last move changed."""
    accesses = [a for a in session.accesses() if a.address < session.memory_size()]
    if accesses:
        access = accesses[-1]
        verb = "writes" if access.is_write else "reads"
        count = f"{access.size} byte{'s' * (access.size != 1)}"
        return Focus(access.address, f"it {verb} {count} at {access.address:#x}")
    answer = _answer(session)
    if answer is not None:
        return Focus(answer, f"the answer at {answer:#x}")
    changes = session.changes().memory
    return Focus(changes[0][0], f"changed at {changes[0][0]:#x}") if changes else None


def _answer(session: DebugSession) -> int | None:
    """The address of what the tool answered, once it has."""
    try:
        answered = session.output is not None
    except PluginError:
        return None
    results = session.stop.results
    return results[0] & 0xFFFFFFFF if answered and results else None
