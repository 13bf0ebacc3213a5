"""What a call does, as a stream: every instruction, or every call of a function.

A session in, plain values out, made as they are asked for: a trace of a long call need never be in
memory as a whole. The session moves along.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from purewasm_plugins.debugger import effects, views
from purewasm_plugins.debugger.program import Location
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.debugger.stops import Stop
from purewasm_plugins.errors import DeadlineExceeded

#: Instructions between two looks at the clock.
_PERIOD = 256


@dataclass(frozen=True, slots=True)
class TraceStep:
    """An instruction that has run.

    Attributes:
        step: its number.
        function: the index of its function.
        offset: byte offset in the module.
        depth: how many functions are below its own.
        text: the instruction.
        stack: the operands of the function that is then active, topmost last.
    """

    step: int
    function: int
    offset: int
    depth: int
    text: str
    stack: tuple[views.Value, ...]


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A function is called, or returns.

    Attributes:
        step: instructions that had run before.
        function: its index.
        name: what to call it.
        depth: how many functions are below it.
        values: its arguments, or its results.
        returns: whether it returns.
        host: whether it is outside the module; it then has returned by the next event.
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
    """Run on and yield each instruction.

    Args:
        session: it ends where the call ends, or at the limit.
        function: only instructions of this one.
        limit: how many to yield at most.
        timeout: seconds that it may take, with what is done between two of them.

    Raises:
        LocationError: there is no such function.
        DeadlineExceeded: the time is over; the session stands where it came to.
    """
    program = session.program
    deadline = _deadline(timeout)
    only = None if function is None else program.function(function)
    count = 0
    stop = session.stop
    while stop.function is not None and (limit is None or count < limit):
        before, depth = stop, session.depth - 1
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
                session.operands(),
            )


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _tick(session: DebugSession, deadline: float | None) -> Stop | None:
    if deadline is not None and session.step_number % _PERIOD == 0 and time.monotonic() >= deadline:
        raise DeadlineExceeded
    return session.tick()


def calls(
    session: DebugSession, *, limit: int | None = None, timeout: float | None = None
) -> Iterator[CallEvent]:
    """Run on and yield each call of a function, and each return.

    Args:
        session: it ends where the call ends, or at the limit.
        limit: how many to yield at most.
        timeout: seconds that it may take, with what is done between two of them.

    Raises:
        DeadlineExceeded: the time is over; the session stands where it came to.
    """
    yield from islice(_calls(session, _deadline(timeout)), limit)


def _calls(session: DebugSession, deadline: float | None) -> Iterator[CallEvent]:
    stop = session.stop
    if stop.function is None:
        return
    yield _entered(session, stop.function)
    while True:
        before, depth = stop, session.depth
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
        if session.depth > depth and stop.function is not None:
            yield _entered(session, stop.function)
        elif session.depth < depth:
            yield _left(session, before.function, before.step, depth - 1)
        elif outside is not None:
            yield _left(session, outside.function, before.step, depth, host=True)


def _entered(session: DebugSession, function: int) -> CallEvent:
    count = len(session.program.module.function_type(function).params)
    arguments = tuple(value.value for value in session.frames()[0].locals[:count])
    name = session.program.function_name(function)
    return CallEvent(session.step_number, function, name, session.depth - 1, arguments, False)


def _left(
    session: DebugSession, function: int, step: int, depth: int, *, host: bool = False
) -> CallEvent:
    count = 0
    if function >= 0:
        count = len(session.program.module.function_type(function).results)
    stack = session.operands()
    results = tuple(value.value for value in stack[len(stack) - count :])
    name = session.program.function_name(function) if function >= 0 else "function of the host"
    return CallEvent(step, function, name, depth, results, True, host)


def _outside(session: DebugSession, stop: Stop) -> CallEvent | None:
    """The call of a function outside the module that is about to be made, if it is one."""
    instruction = stop.instruction
    if instruction is None or instruction.opcode.mnemonic != "call":
        return None
    function = instruction.immediates[0]
    program = session.program
    if function >= program.first_defined:
        return None
    count = len(program.module.function_type(function).params)
    stack = session.operands()
    arguments = tuple(value.value for value in stack[len(stack) - count :])
    name = program.function_name(function)
    return CallEvent(stop.step, function, name, session.depth, arguments, False, True)
