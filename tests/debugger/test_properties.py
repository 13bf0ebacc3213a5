"""Properties of all programs: each way to a step gives the same state, and no stop is missed."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from purewasm_plugins import Trap, instantiate
from purewasm_plugins.debugger import DebugSession, StopReason
from purewasm_plugins.debugger.machine import execution, history
from tests.conftest import ENGINES
from tests.debugger.programs import random_call, state

#: Steps that a generated program is followed for.
LONGEST = 300

seeds = st.integers(0, 2**32)
moves = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("step", "step_over", "step_out", "step_back", "step_back_over", "go_to", "limit"),
                *("break", "watch", "resume", "resume_back", "last_write"),
            ]
        ),
        st.integers(0, LONGEST),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True, scope="module")
def dense() -> Any:
    """Checkpoints every few steps: a short program then goes through all that a long one does."""
    kept = history.SPACING, execution.STRIDE
    history.SPACING, execution.STRIDE = 7, 2
    yield
    history.SPACING, execution.STRIDE = kept


def session_of(seed: int, **options: Any) -> DebugSession:
    data, name, arguments = random_call(Random(seed))
    return DebugSession.for_function(
        instantiate(data, engine="pywasm"), name, *arguments, **options
    )


def move(session: DebugSession, what: str, number: int) -> None:
    match what:
        case "go_to":
            session.go_to(number)
        case "limit":
            session.resume(limit=number)
        case "watch":
            session.stops.watch_memory(number * 16, 16)
        case "last_write":
            session.last_write(number)
        case "break":
            lines = session.view.lines(0, number)
            if lines:
                session.stops.add_breakpoint(hex(lines[-1].offset))
        case _:
            getattr(session, what)()


@settings(max_examples=15)
@given(seeds, moves, st.sampled_from([20_000, 200_000, 1 << 26]))
def test_any_way_to_a_step_leads_to_the_same_state(
    seed: int, ways: list[tuple[str, int]], bound: int
) -> None:
    session = session_of(seed, history_bytes=bound)
    for what, number in ways:
        move(session, what, number)
        fresh = session_of(seed)
        fresh.resume(limit=session.step_number)
        assert state(session) == state(fresh)
        assert session.stop.offset == fresh.stop.offset


@settings(max_examples=10)
@given(seeds)
def test_every_step_backwards_is_every_step_forwards(seed: int) -> None:
    session = session_of(seed)
    states = [state(session)]
    while session.step().reason is StopReason.STEP and session.step_number < LONGEST:
        states.append(state(session))
    last = len(states) - 1
    session.go_to(last)
    for number in range(last, -1, -1):
        assert state(session) == states[number]
        session.step_back()
    assert session.stop.reason is StopReason.ENTRY


@settings(max_examples=15)
@given(seeds)
def test_what_it_ends_in_is_what_the_engines_say(seed: int) -> None:
    data, name, arguments = random_call(Random(seed))
    session = session_of(seed)
    stop = session.resume()
    memory = session.view.read_memory(0, session.view.memory_size())
    outcomes = {engine: outcome(engine, data, name, arguments) for engine in ENGINES}
    # Differences between the engines are the subject of their own tests.
    assume(len(set(outcomes.values())) == 1)
    if stop.trap is not None:
        mine = (str(stop.trap.reason), repr(stop.trap.frames), memory)
    else:
        mine = (shown(stop.results), repr(session.instance.fuel_used), memory)
    assert outcomes["pywasm"] == mine


def outcome(engine: str, data: bytes, name: str, arguments: list[Any]) -> tuple[Any, ...]:
    """The outcome of a call on an engine: results and fuel, or a trap and its backtrace; memory."""
    instance = instantiate(data, engine=engine)
    function: Any = instance.exports[name]
    memory: Any = instance.exports["memory"]
    try:
        result = function(*arguments)
    except Trap as trap:
        return str(trap.reason), repr(trap.frames), bytes(memory.raw)
    count = len(function.type.results)
    results = result if count > 1 else (result,) * count
    return shown(results), repr(instance.fuel_used), bytes(memory.raw)


def shown(results: Any) -> str:
    """Results as text, references aside: those are other instances' functions."""
    return repr([getattr(value, "index", value) for value in results])


@settings(max_examples=10)
@given(seeds, st.integers(0, 65_400), st.sampled_from([1, 4, 256, 65_000]))
def test_a_watchpoint_names_the_writes_that_memory_shows(seed: int, start: int, size: int) -> None:
    size = min(size, 65_536 - start)
    session = session_of(seed)
    expected = []
    before = session.view.read_memory(start, size)
    while session.step().reason is StopReason.STEP and session.step_number < LONGEST:
        after = session.view.read_memory(start, size)
        if after != before:
            expected.append(session.step_number - 1)
        before = after
    last = session.step_number
    session.go_to(0)
    session.stops.watch_memory(start, size)
    forwards = []
    while (stop := session.resume(limit=last - session.step_number)).reason is (
        StopReason.WATCHPOINT
    ):
        assert stop.write is not None
        assert stop.write.old != stop.write.new
        assert session.view.read_memory(stop.write.address, len(stop.write.new)) == stop.write.new
        forwards.append(stop.write.step)
    assert forwards == expected
    session.go_to(last)
    backwards = []
    while (stop := session.resume_back()).reason is StopReason.WATCHPOINT:
        assert stop.write is not None
        assert stop.step == stop.write.step
        backwards.append(stop.step)
    assert backwards[::-1] == expected


@settings(max_examples=10)
@given(seeds)
def test_breakpoints_everywhere_stop_at_every_step(seed: int) -> None:
    session = session_of(seed)
    function = session.stop.function
    assert function is not None
    for line in session.program.lines(function):
        session.stops.add_breakpoint(hex(line.offset))
    counted: Counter[int] = Counter()
    session.go_to(0)
    steps = []
    while session.step().step < LONGEST and session.stop.reason in (
        StopReason.STEP,
        StopReason.BREAKPOINT,
    ):
        if session.stop.function == function:
            steps.append(session.step_number)
    last = session.step_number
    session.go_to(0)
    stops = []
    while (stop := session.resume(limit=last - session.step_number)).reason is (
        StopReason.BREAKPOINT
    ):
        stops.append(stop.step)
        counted[stop.offset or 0] += 1
    assert [step for step in stops if step < last] == [step for step in steps if step < last]
    session.go_to(last)
    backwards = []
    while (stop := session.resume_back()).reason is StopReason.BREAKPOINT:
        backwards.append(stop.step)
    # One that traps at once leaves nothing to go back over.
    assert backwards[::-1] == ([0, *(step for step in steps if step < last)] if last else [])
