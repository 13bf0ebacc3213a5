"""The view of a session at a step, and the changes of a move."""

from __future__ import annotations

import pytest

from purewasm_plugins.debugger import (
    DebuggerError,
    DebugSession,
    LocationError,
)
from purewasm_plugins.debugger.machine.effects import InPlay
from tests.debugger.programs import FACTORIALS, start


@pytest.fixture
def session() -> DebugSession:
    """`all(4)` of FACTORIALS."""
    return start(FACTORIALS, "all", 4)


def test_an_expression_for_an_address(session: DebugSession) -> None:
    assert session.view.address("local.count * 4 - 17") == 0xFFFFFFFF
    for wrong in ("1.5", "'text'", "local.nothing", "1 +"):
        with pytest.raises(DebuggerError):
            session.view.address(wrong)


def test_what_a_move_changed(session: DebugSession) -> None:
    session.step()
    assert session.view.changes().labels == frozenset({1})
    session.step()
    session.step()
    assert (session.view.changes().operands, session.view.changes().labels) == (
        frozenset({0}),
        frozenset(),
    )
    session.step_back()
    assert session.view.changes().labels == frozenset()
    session.go_to(22)
    session.step()
    session.go_to(26)
    assert (session.view.changes().locals, session.view.changes().depth) == (frozenset({1}), 0)
    session.go_to(21)
    session.step()
    assert session.view.changes().memory == ((0, 1),)
    session.step_back_over()
    assert session.view.changes().memory == ((0, 1),)
    session.go_to(18)
    assert (session.view.changes().globals, session.view.changes().depth) == (frozenset(), 1)


@pytest.mark.parametrize(
    ("text", "operands", "locals"),
    [
        ("local.get $n", 0, {0}),
        ("global.set $calls", 1, set()),
        ("i32.sub", 2, set()),
        ("call $factorial", 1, set()),
        ("i32.const 1", 0, set()),
    ],
)
def test_what_the_next_instruction_uses(
    session: DebugSession, text: str, operands: int, locals: set[int]
) -> None:
    line = next(line for line in session.program.lines(0) if line.text == text)
    session.run_to(hex(line.offset))
    assert session.view.in_play() == InPlay(operands, frozenset(locals))


def test_memory_as_far_as_it_goes(session: DebugSession) -> None:
    view = session.view
    assert view.memory_from(view.memory_size() - 3, 16) == bytes(3)
    assert view.memory_from(view.memory_size() + 1, 16) == b""
    for address, size in ((-1, 1), (view.memory_size(), 1), (0, view.memory_size() + 1), (0, -1)):
        with pytest.raises(LocationError, match="not in memory, which ends at 0x10000"):
            view.read_memory(address, size)
