"""The trace of a call, as a stream: every instruction, or every call of a function.

The values are made as they are asked for, so a trace of a long call is never in memory as a whole.
The session moves meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from purewasm_plugins.debugger.machine import effects
from purewasm_plugins.debugger.machine.program import Location
from purewasm_plugins.debugger.machine.reasons import Stop
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.debugger.view import Value
from purewasm_plugins.errors import DeadlineExceeded

#: Instructions between two checks of the deadline.
_PERIOD = 256


@dataclass(frozen=True, slots=True)
class TraceStep:
    """An instruction that has run.

    Attributes:
        step: its number.
        function: the index of its function.
        offset: byte offset in the module.
        depth: the number of functions below its own.
        text: the instruction.
        stack: the operands afterwards, of the function that is then active, topmost last.
    """

    step: int
    function: int
    offset: int
    depth: int
    text: str
    stack: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class CallEvent:
    """The call of a function, or its return.

    Attributes:
        step: the number of instructions that had run before.
        function: its index.
        name: its name; see `Program.function_name`.
        depth: the number of functions below it.
        values: its arguments, or its results.
        returns: whether it returns.
        host: whether it is outside the module; the next event is then its return.
    """

    step: int
    function: int
    name: str
    depth: int
    values: tuple[Any, ...]
    returns: bool
    host: bool = False


def trace(
    session: DebugSession,
    *,
    function: str | int | None = None,
    limit: int | None = None,
    timeout: float | None = None,
) -> Iterator[TraceStep]:
    """Run and yield each instruction.

    Args:
        session: it moves to the end of the call, or to the limit.
        function: only instructions of this one.
        limit: the most to yield.
        timeout: seconds that it may take, with what the caller does between two of them.

    Raises:
        LocationError: there is no such function.
        DeadlineExceeded: the time is over; the session stays where it is.
    """
    program = session.program
    deadline = _deadline(timeout)
    only = None if function is None else program.function(function)
    count = 0
    stop = session.stop
    while stop.function is not None and (limit is None or count < limit):
        before, depth = stop, session.view.depth - 1
        ending = _tick(session, deadline)
        if ending is not None and ending.function is not None:
            return
        stop = session.stop
        if only is None or before.function == only:
            count += 1
            yield TraceStep(
                before.step,
                before.function or 0,
                before.offset or 0,
                depth,
                program.line(Location(before.function or 0, before.offset or 0)).text,
                session.view.operands(),
            )


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _tick(session: DebugSession, deadline: float | None) -> Stop | None:
    """Run one instruction, unless the time is over; see `DebugSession.tick`."""
    if deadline is not None and session.step_number % _PERIOD == 0 and time.monotonic() >= deadline:
        raise DeadlineExceeded
    return session.tick()


def calls(
    session: DebugSession, *, limit: int | None = None, timeout: float | None = None
) -> Iterator[CallEvent]:
    """Run and yield each call of a function, and each return.

    Args:
        session: it moves to the end of the call, or to the limit.
        limit: the most to yield.
        timeout: seconds that it may take, with what the caller does between two of them.

    Raises:
        DeadlineExceeded: the time is over; the session stays where it is.
    """
    yield from islice(_calls(session, _deadline(timeout)), limit)


def _calls(session: DebugSession, deadline: float | None) -> Iterator[CallEvent]:
    """Yield what `calls` does, without a limit."""
    stop = session.stop
    if stop.function is None:
        return
    yield _entered(session, stop.function)
    while True:
        before, depth = stop, session.view.depth
        if before.instruction is None or before.function is None:
            return
        opcode = before.instruction.opcode
        outside = _outside(session, before) if effects.calls(opcode) else None
        if outside is not None:
            yield outside
        ending = _tick(session, deadline)
        if ending is not None and ending.function is not None:
            return
        stop = session.stop
        if session.view.depth > depth and stop.function is not None:
            yield _entered(session, stop.function)
        elif session.view.depth < depth:
            yield _left(session, before.function, before.step, depth - 1)
        elif outside is not None:
            yield _left(session, outside.function, before.step, depth, host=True)


def _entered(session: DebugSession, function: int) -> CallEvent:
    """Make the event of a call that has just been made."""
    frame = session.view.frame()
    count = len(session.program.module.function_type(function).params)
    arguments = tuple(value.value for value in frame.locals[:count]) if frame else ()
    name = session.program.function_name(function)
    return CallEvent(session.step_number, function, name, session.view.depth - 1, arguments, False)


def _left(
    session: DebugSession, function: int, step: int, depth: int, *, host: bool = False
) -> CallEvent:
    """Make the event of a return that has just happened."""
    count = len(session.program.module.function_type(function).results)
    stack = session.view.operands()
    results = tuple(value.value for value in stack[len(stack) - count :])
    name = session.program.function_name(function)
    return CallEvent(step, function, name, depth, results, True, host)


def _outside(session: DebugSession, stop: Stop) -> CallEvent | None:
    """Return the event of a call out of the module, if that is the next instruction."""
    instruction = stop.instruction
    if instruction is None or instruction.opcode.mnemonic != "call":
        return None
    function = instruction.immediates[0]
    program = session.program
    if function >= program.first_defined:
        return None
    count = len(program.module.function_type(function).params)
    stack = session.view.operands()
    arguments = tuple(value.value for value in stack[len(stack) - count :])
    name = program.function_name(function)
    return CallEvent(stop.step, function, name, session.view.depth, arguments, False, True)
