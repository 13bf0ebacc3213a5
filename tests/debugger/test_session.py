"""Moving through a call: forwards, backwards, out of it and into its end."""

from __future__ import annotations

from typing import Any

import pytest

from purewasm_plugins import ResourceLimits, TrapReason, WasmPlugin, instantiate
from purewasm_plugins.debugger import (
    DebuggerError,
    DebugSession,
    LocationError,
    StopReason,
)
from purewasm_plugins.debugger.machine import history
from purewasm_plugins.errors import ToolExecutionError, ToolFailedError
from tests.conftest import assemble, fixture_bytes
from tests.debugger.programs import FACTORIALS, start, state, text
from tests.plugin.conftest import PARTS


@pytest.fixture
def session() -> DebugSession:
    """`all(4)` of FACTORIALS."""
    return start(FACTORIALS, "all", 4)


def plugin(name: str, **options: Any) -> WasmPlugin:
    return WasmPlugin.load_from_bytes(fixture_bytes(name), engine="pywasm", **options)


def test_a_tool_is_walked_from_its_first_instruction_to_its_answer() -> None:
    session = DebugSession(plugin("hello"), "greet", "anything")
    assert session.stop.reason is StopReason.ENTRY
    assert text(session) == "i32.const 512"
    assert session.step().reason is StopReason.STEP
    assert [value.value for value in session.view.stack()] == [512]
    assert text(session).startswith("end")
    assert session.output is None
    stop = session.step()
    assert (stop.reason, stop.results, stop.function) == (StopReason.FINISHED, (512,), None)
    assert session.output == "Hello, World!"


def test_a_step_after_the_end_stays_there(session: DebugSession) -> None:
    end = session.resume()
    assert end.results == (6,)
    moves = (session.step, session.step_over, session.step_out, session.resume)
    assert all(move() == end for move in moves)
    assert session.go_to(10**9) == end
    assert session.step_back().reason is StopReason.STEP
    assert session.step() == end


def test_a_step_before_the_start_stays_there(session: DebugSession) -> None:
    for move in (session.step_back, session.step_back_over, session.resume_back):
        assert move().reason is StopReason.ENTRY
    assert session.go_to(-5).step == 0


def test_over_a_call_and_back_over_it(session: DebugSession) -> None:
    (call,) = (line for line in session.program.lines(1) if line.text.startswith("call"))
    session.run_to(hex(call.offset))
    before = state(session)
    session.step_over()
    assert text(session) == "i32.store"
    assert len(session.view.frames()) == 1
    after = state(session)
    session.step_back_over()
    assert state(session) == before
    session.step()
    assert [frame.name for frame in session.view.frames()] == ["factorial", "all"]
    session.step_back_over()
    assert state(session) == before
    session.step_over()
    assert state(session) == after


def test_over_a_recursive_call_stops_in_the_same_activation(session: DebugSession) -> None:
    session.stops.add_breakpoint("factorial", condition="local.n == 3")
    session.resume()
    depth = len(session.view.frames())
    while not text(session).startswith("call"):
        session.step()
    session.step_over()
    assert len(session.view.frames()) == depth
    assert session.view.frames()[0].locals[0].value == 3
    assert session.view.frames()[0].operands[-1].value == 2


def test_out_of_a_function_and_out_of_the_last(session: DebugSession) -> None:
    session.stops.add_breakpoint("factorial", condition="local.n == 1")
    session.resume()
    assert session.step_out().reason is StopReason.STEP
    assert text(session) == "i32.store"
    assert session.step_out().reason is StopReason.BREAKPOINT
    session.stops.remove(1)
    session.step_out()
    session.step_out()
    assert session.step_out().reason is StopReason.FINISHED


def test_a_limit_ends_a_run_and_an_endless_loop() -> None:
    session = DebugSession(plugin("loop_forever"), 0, "")
    stop = session.resume(limit=1000)
    assert (stop.reason, stop.step) == (StopReason.LIMIT, 1000)
    assert session.resume(limit=500).step == 1500


def test_an_interrupt_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def callback() -> None:
        nonlocal calls
        calls += 1
        if calls == 50:
            running.interrupt()

    module = """(module (import "h" "tick" (func $tick))
      (func (export "f") (loop $l (call $tick) (br $l))))"""
    running = start(module, "f", imports={"h": {"tick": callback}})
    assert running.resume().reason is StopReason.INTERRUPTED
    assert calls == 50
    assert running.step().reason is StopReason.STEP


def test_an_interrupt_of_a_way_back_leaves_things_as_they_were() -> None:
    session = start(FACTORIALS, "all", 5)
    session.resume(limit=150)
    before = state(session)
    session.stops.add_breakpoint("factorial", condition="memory[5000]")
    scope = session._execution.watcher.scope

    def interrupting() -> Any:
        session.interrupt()
        return scope()

    session._execution.watcher.scope = interrupting
    assert session.resume_back().reason is StopReason.INTERRUPTED
    assert state(session) == before


def test_a_trap_is_a_stop_before_the_frames_are_unwound() -> None:
    session = DebugSession(plugin("trap_division"), 0, "x")
    stop = session.resume()
    assert stop.reason is StopReason.TRAP
    assert stop.trap is not None
    assert stop.trap.reason is TrapReason.INTEGER_DIVIDE_BY_ZERO
    assert text(session) == "i32.div_s"
    assert [value.value for value in session.view.stack()] == [0, 0]
    assert session.step() == stop
    assert session.step_back().step == stop.step - 1
    assert session.step().reason is StopReason.STEP
    assert session.step().trap is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("recurse_forever", TrapReason.CALL_STACK_EXHAUSTED),
        ("trap_unreachable", TrapReason.UNREACHABLE),
    ],
)
def test_traps_of_other_kinds(name: str, reason: TrapReason) -> None:
    session = DebugSession(plugin(name), 0, "x")
    stop = session.resume()
    assert stop.trap is not None
    assert stop.trap.reason is reason
    assert session.view.frames()
    assert session.step_back().step == stop.step - 1


def test_out_of_fuel_is_a_trap_and_thinking_costs_no_time() -> None:
    limits = ResourceLimits(fuel=100, timeout=0.0)
    instance = instantiate(
        assemble('(module (func (export "f") (loop $l (br $l))))'), engine="pywasm", limits=limits
    )
    session = DebugSession.for_function(instance, "f")
    stop = session.resume()
    assert stop.trap is not None
    assert stop.trap.reason is TrapReason.OUT_OF_FUEL
    assert session.instance.fuel_used == 100
    session.go_to(20)
    assert session.instance.fuel_used == 21


def test_a_host_call_can_be_a_reason_to_stop() -> None:
    module = '(module (import "h" "f" (func $f)) (func (export "f") nop (call $f)))'
    session = start(module, "f", imports={"h": {"f": lambda: None}})
    session.stops.at_host_calls = True
    assert session.resume().reason is StopReason.HOST_CALL
    assert text(session).startswith("call")
    assert session.resume().reason is StopReason.FINISHED


def test_two_sessions_do_not_disturb_each_other() -> None:
    one, other = start(FACTORIALS, "all", 4), start(FACTORIALS, "all", 3)
    one.resume(limit=30)
    alone = state(one)
    other.resume()
    other.step_back()
    assert state(one) == alone
    one.resume(limit=10)
    one.go_to(30)
    assert state(one) == alone


def test_the_plugin_itself_is_left_alone() -> None:
    stateful = plugin("stateful")
    first = stateful.execute_tool(0, "x")
    DebugSession(stateful, 0, "x").resume()
    assert plugin("stateful").execute_tool(0, "x") == first
    second = stateful.execute_tool(0, "x")
    assert second != first


@pytest.mark.parametrize("size", [1_000_000])
def test_a_large_input(size: int) -> None:
    session = DebugSession(plugin("echo"), 0, "x" * size)
    assert session.resume().reason is StopReason.FINISHED
    assert session.output == "x" * size
    assert session.step_back().reason is StopReason.STEP


def test_what_cannot_be_begun() -> None:
    with pytest.raises(ToolExecutionError, match="no such tool; did you mean greet"):
        DebugSession(plugin("hello"), "gret", "")
    with pytest.raises(ToolExecutionError, match=r"U\+0000"):
        DebugSession(plugin("hello"), 0, "\0")
    with pytest.raises(ToolExecutionError, match="unreachable in plugin_alloc"):
        DebugSession(plugin("alloc_traps"), 0, "x")
    instance = instantiate(assemble(FACTORIALS), engine="pywasm")
    with pytest.raises(LocationError, match="no function has that name; there is: all, factorial"):
        DebugSession.for_function(instance, "missing")
    with pytest.raises(TypeError, match="takes 1 arguments, and 0"):
        DebugSession.for_function(instance, "all")
    with pytest.raises(DebuggerError, match="no breakpoint or watchpoint 7"):
        DebugSession.for_function(instance, "all", 1).stops.remove(7)


#: Moves that may be long, and places to begin them at: (move, steps from the start).
LONG_MOVES = [
    ("resume", 0),
    ("step_over", 75),
    ("step_out", 90),
    ("resume_back", 196),
    ("step_back_over", 180),
    ("step_back_out", 160),
]


@pytest.mark.parametrize(("move", "step"), LONG_MOVES)
@pytest.mark.parametrize("breakpoint", [None, "factorial:16", "all:1"])
def test_a_move_in_slices_leads_where_the_whole_move_does(
    move: str, step: int, breakpoint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SPACING", 7)
    sessions = [start(FACTORIALS, "all", 4) for _ in range(2)]
    for session in sessions:
        if breakpoint is not None:
            session.stops.add_breakpoint(breakpoint)
        session.go_to(step)
    whole, sliced = sessions
    expected = getattr(whole, move)()
    stop = getattr(sliced, move)(limit=1)
    slices = 1
    while stop.reason is StopReason.LIMIT:
        stop = sliced.proceed(limit=1)
        slices += 1
    assert (stop.step, stop.reason) == (expected.step, expected.reason)
    assert state(sliced) == state(whole)
    assert sliced.view.changes() == whole.view.changes()
    # Without a breakpoint the way back to the start needs no search.
    assert slices > 1 or breakpoint == "factorial:16" or move == "resume_back"


def test_nothing_goes_on_with_a_move_that_ended(session: DebugSession) -> None:
    session.step()
    with pytest.raises(DebuggerError, match="nothing to go on with"):
        session.proceed()
    assert session.resume().reason is StopReason.FINISHED


def test_back_out_to_the_call(session: DebugSession) -> None:
    session.stops.add_breakpoint("factorial", condition="local.n == 1")
    session.resume()
    session.resume()
    names = [frame.name for frame in session.view.frames()]
    assert names == ["factorial", "factorial", "all"]
    session.step_back_out()
    assert text(session) == "call $factorial"
    assert len(session.view.frames()) == 2
    session.step_back_out()
    assert text(session).startswith("call_indirect")
    assert session.step_back_out().reason is StopReason.ENTRY


@pytest.mark.parametrize(
    ("input", "error", "words"),
    [
        ("!", ToolFailedError, "Tool 'check' failed: the input begins with !"),
        ("?", ToolExecutionError, "lies past the end of memory"),
        ("#", ToolExecutionError, "unreachable in plugin_tool_error"),
    ],
)
def test_a_failure_that_the_tool_reports(
    input: str, error: type[ToolExecutionError], words: str
) -> None:
    session = DebugSession(plugin("reports_errors"), "check", input)
    session.stops.add_breakpoint("plugin_tool_error")
    end = session.resume()
    assert end.reason is StopReason.FINISHED
    before = state(session), session.last_step, session.history_size
    for _ in range(2):
        with pytest.raises(error, match=words) as raised:
            _ = session.output
        assert type(raised.value) is error
    assert (state(session), session.last_step, session.history_size) == before
    assert session.stop is end
    assert all(point.hits == 0 for point in session.stops.breakpoints.values())
    # It can be walked as before.
    assert session.step_back().step == session.last_step - 1
    assert session.output is None
    assert session.go_to(0).step == 0
    assert session.resume().results == end.results


ASKED = """
    (import "env" "asked" (func $asked))
    (global $count (mut i32) (i32.const 0))
    (func (export "plugin_tool_error") (result i32)
      (call $asked)
      (drop (memory.grow (i32.const 1)))
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (i32.store8 (i32.const 0) (i32.const 65))
      (if (result i32) (i32.eq (global.get $count) (i32.const 1))
        (then (i32.const 0)) (else (i32.const 16))))
"""


def seen(session: DebugSession) -> tuple[object, ...]:
    """What ASKED changes."""
    view = session.view
    return view.memory_size(), view.read_memory(0, 1), view.globals(), view.stack()


def test_the_question_for_a_failure_has_no_effect() -> None:
    asked: list[int] = []
    loaded = WasmPlugin.load_from_bytes(
        assemble(f"(module {ASKED} {' '.join(PARTS.values())})"),
        engine="pywasm",
        imports={"env": {"asked": lambda: asked.append(1)}},
    )
    session = DebugSession(loaded, 0, "text")
    session.resume()
    before = seen(session)
    output = session.output
    assert seen(session) == before
    assert session.stop.reason is StopReason.FINISHED
    session.go_to(0)
    session.resume()
    assert session.output == output
    assert asked == [1], "the tool was asked twice"
    assert seen(session) == before
