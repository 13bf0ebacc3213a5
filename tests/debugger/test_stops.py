"""Breakpoints, watchpoints and their conditions, and the last write to a byte."""

from __future__ import annotations

import pytest

from purewasm_plugins.debugger import DebugSession, ExpressionError, LocationError, StopReason
from tests.debugger.programs import FACTORIALS, start, text


@pytest.fixture
def session() -> DebugSession:
    """`all(4)` of FACTORIALS."""
    return start(FACTORIALS, "all", 4)


def stops(session: DebugSession, reason: StopReason = StopReason.BREAKPOINT) -> list[int]:
    """The steps that it stops at, to the end."""
    found = []
    while (stop := session.resume()).reason is reason:
        found.append(stop.step)
    return found


@pytest.mark.parametrize("place", ["factorial", "$factorial", "0", "factorial:1"])
def test_ways_to_name_a_function(session: DebugSession, place: str) -> None:
    session.stops.add_breakpoint(place)
    # factorial(0), then 1 and 0, then 2, 1 and 0 …
    assert len(stops(session)) == 1 + 2 + 3 + 4


def test_a_byte_offset_is_a_place(session: DebugSession) -> None:
    store = next(line for line in session.program.lines(1) if line.text == "i32.store")
    point = session.stops.add_breakpoint(hex(store.offset))
    found = stops(session)
    assert len(found) == point.hits == 4
    session.go_to(found[2])
    assert text(session) == "i32.store"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nothing", "no function has that name; there is: all, factorial"),
        ("fact", "did you mean factorial"),
        ("99", "the functions are 0 to 1"),
        ("all:999", "all has instructions 1 to"),
        ("all:0", "all has instructions 1 to"),
        ("0x1", "in no function's code"),
        ("0xffffffffff", "in no function's code"),
        ("", "no function has that name"),
    ],
)
def test_a_place_that_fits_nothing(session: DebugSession, place: str, message: str) -> None:
    with pytest.raises(LocationError, match=message):
        session.stops.add_breakpoint(place)
    assert session.resume().reason is StopReason.FINISHED


def test_a_byte_inside_an_instruction(session: DebugSession) -> None:
    line = session.program.lines(1)[0]
    with pytest.raises(LocationError, match="no instruction begins there; one does at"):
        session.stops.add_breakpoint(hex(line.offset + 1))


def test_a_condition(session: DebugSession) -> None:
    session.stops.add_breakpoint("factorial", condition="local.n == 2 and global_.calls > 4")
    found = stops(session)
    assert len(found) == 1
    assert session.resume_back().step == found[0]
    assert session.resume_back().reason is StopReason.ENTRY


def test_a_condition_that_fails_is_a_stop_with_a_sentence(session: DebugSession) -> None:
    session.stops.add_breakpoint("factorial", condition="memory[1 << 40] == 1")
    stop = session.resume()
    assert stop.reason is StopReason.BREAKPOINT
    assert "not in memory" in str(stop.error)
    session.stops.remove(1)
    assert session.resume().reason is StopReason.FINISHED


@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_hit_count_means_the_same_in_both_directions(session: DebugSession, count: int) -> None:
    session.stops.add_breakpoint("factorial")
    every = stops(session)
    session.stops.remove(1)
    session.go_to(0)
    session.stops.add_breakpoint("factorial", hit_count=count)
    assert stops(session) == every[count - 1 :]
    backwards = []
    while (stop := session.resume_back()).reason is StopReason.BREAKPOINT:
        backwards.append(stop.step)
    assert backwards[::-1] == every[count - 1 :]


def test_a_hit_count_set_late_counts_what_was_before(session: DebugSession) -> None:
    session.resume()
    session.step_back()
    session.stops.add_breakpoint("factorial", hit_count=10)
    assert session.resume_back().reason is StopReason.BREAKPOINT
    assert session.resume_back().reason is StopReason.ENTRY


def test_run_to_a_place(session: DebugSession) -> None:
    session.run_to("factorial:3")
    assert session.stop.reason is StopReason.STEP
    assert text(session) == "i32.add"
    assert session.view.frames()[0].name == "factorial"


def test_a_watched_global_tells_old_and_new(session: DebugSession) -> None:
    session.stops.watch_global("calls")
    writes = []
    while (stop := session.resume()).write is not None:
        writes.append((stop.write.old, stop.write.new))
    assert writes == [(n, n + 1) for n in range(10)]


def test_a_watched_local_of_one_function(session: DebugSession) -> None:
    session.stops.watch_local("i")
    writes = []
    while (stop := session.resume()).write is not None:
        assert stop.write.instruction.opcode.mnemonic == "local.set"
        writes.append((stop.write.old, stop.write.new))
    assert writes == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_backwards_one_stops_before_the_write(session: DebugSession) -> None:
    session.resume()
    session.stops.watch_memory(8, 4)
    stop = session.resume_back()
    assert stop.reason is StopReason.WATCHPOINT
    assert stop.write is not None
    assert (stop.write.address, stop.write.old, stop.write.new) == (8, bytes(4), b"\x02\0\0\0")
    assert text(session) == "i32.store"
    assert [value.value for value in session.view.stack()] == [8, 2]
    assert session.view.read_memory(8, 4) == bytes(4)
    assert session.resume().write == stop.write
    assert session.view.read_memory(8, 4) == b"\x02\0\0\0"


def test_a_watchpoint_with_a_condition(session: DebugSession) -> None:
    session.stops.watch_memory(0, 64, condition="memory[8]")
    assert len(stops(session, StopReason.WATCHPOINT)) == 2


def test_writes_of_the_same_value_only_where_they_are_asked_for() -> None:
    module = """(module (memory 1) (func (export "f")
      (i32.store8 (i32.const 3) (i32.const 0)) (i32.store8 (i32.const 3) (i32.const 1))
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 9))))"""
    session = start(module, "f")
    session.stops.watch_memory(3)
    assert len(stops(session, StopReason.WATCHPOINT)) == 1
    session.stops.remove(1)
    session.go_to(0)
    session.stops.watch_memory(3, every_write=True)
    assert len(stops(session, StopReason.WATCHPOINT)) == 3


def test_the_last_write_to_a_byte(session: DebugSession) -> None:
    session.resume()
    end = session.stop
    write = session.last_write(9)
    assert write is not None
    assert (write.old, write.new) == (b"\0", b"\0")
    assert write.instruction.opcode.mnemonic == "i32.store"
    assert session.stop == end
    assert session.step_number == end.step
    assert session.last_write(1000) is None
    session.go_to(write.step)
    assert session.last_write(9) is None


@pytest.mark.parametrize("address", [-1, 65536, 1 << 40])
def test_a_byte_that_is_not_in_memory(session: DebugSession, address: int) -> None:
    for ask in (session.last_write, session.stops.watch_memory):
        with pytest.raises(LocationError, match="not in memory"):
            ask(address)


@pytest.mark.parametrize("name", ["nothing", "7", "-1", ""])
def test_a_local_or_global_that_is_not_there(session: DebugSession, name: str) -> None:
    with pytest.raises(LocationError, match="no such local; there is: count, i"):
        session.stops.watch_local(name)
    with pytest.raises(LocationError, match="no such global; there is: calls"):
        session.stops.watch_global(name)


def test_a_bad_condition_sets_no_breakpoint(session: DebugSession) -> None:
    with pytest.raises(ExpressionError, match="there is no 'foo' here; there is: local"):
        session.stops.add_breakpoint("factorial", condition="foo")
    assert not session.stops.breakpoints
