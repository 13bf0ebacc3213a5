"""The debugger uses a machine through `SteppableMachine` only."""

from __future__ import annotations

import ast
import re

import pytest

from purewasm_plugins import instantiate
from purewasm_plugins.debugger import DebugSession, StopReason
from tests.conftest import ROOT, assemble
from tests.debugger.machine.other_machine import OtherEngine
from tests.debugger.programs import FACTORIALS, start, state

PACKAGE = ROOT / "purewasm_plugins"

#: Names of pywasm's, as its code writes them.
PYWASM = re.compile(
    r"pywasm\.|\bValInst|\bLocalsInst|\bFuncInst|\.stack\.(?:value|label|frame)\b(?!\()"
    r"|\.label\.instr\b|\binto_[iu]32|\bLabel\(|\bInst\b"
)

#: The modules of `engine/reference/` that the debugger may import: those of public engines.
ENGINES = {
    ("engines.py", "purewasm_plugins.engine.reference.stepping", "SteppedInterpreter"),
    ("engines.py", "purewasm_plugins.engine.reference.counting", "CountingInterpreter"),
}


def other(name: str, *arguments: int) -> DebugSession:
    """Start a session on the machine that has nothing of pywasm's."""
    instance = instantiate(assemble(FACTORIALS), engine=OtherEngine())
    return DebugSession.for_function(instance, name, *arguments)


def test_no_name_of_pywasm_is_outside_the_wall() -> None:
    behind = PACKAGE / "engine" / "reference"
    assert any(PYWASM.search(path.read_text("utf-8")) for path in behind.glob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for room in ("debugger", "engine", "cli", "browser")
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if not path.is_relative_to(behind)
        for line in path.read_text("utf-8").splitlines()
        if PYWASM.search(line)
    ]
    assert not found


def test_the_debugger_imports_only_engines() -> None:
    directory = PACKAGE / "debugger"
    found = {
        (path.relative_to(directory).as_posix(), node.module, alias.name)
        for path in directory.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and "engine.reference" in (node.module or "")
        for alias in node.names
    }
    assert found == ENGINES


def test_no_attribute_is_attached_to_an_instruction() -> None:
    """Each attribute that is set on something else than `self` is one that our own class has."""
    declared = {
        *("clock", "function", "opener", "positions", "marks", "counts"),  # our lists
        *("stack", "type", "value", "label", "frame", "held_outside"),  # where a stack is replaced
        *("live", "stepped", "nesting", "until", "step", "budget", "raw"),  # our own objects
    }
    found = {
        target.attr
        for path in (PACKAGE / "engine" / "reference").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and ast.unparse(target.value) != "self"
    }
    assert found <= declared


def test_every_step_on_another_machine_is_the_same() -> None:
    """Return the views of a session, forwards and backwards."""
    mine, theirs = other("all", 4), start(FACTORIALS, "all", 4)
    states = [state(theirs)]
    assert state(mine) == states[0]
    while theirs.step().reason is StopReason.STEP:
        mine.step()
        assert state(mine) == state(theirs)
        assert mine.view.changes() == theirs.view.changes()
        states.append(state(theirs))
    assert mine.step() == theirs.stop
    for expected in reversed(states):
        mine.step_back()
        assert state(mine) == expected


@pytest.mark.parametrize(
    ("move", "step"),
    [
        *(("step_over", 12), ("step_out", 30), ("step_back_over", 60), ("step_back_out", 40)),
        *(("resume", 0), ("resume_back", 100)),
    ],
)
def test_every_move_on_another_machine_is_the_same(move: str, step: int) -> None:
    stops = []
    for session in (other("all", 4), start(FACTORIALS, "all", 4)):
        session.stops.add_breakpoint("factorial", condition="local.n == 3", hit_count=1)
        session.stops.watch_memory(4, 8)
        session.stops.watch_global("calls", condition="global_.calls == 5")
        session.go_to(step)
        stop = getattr(session, move)()
        write = session.last_write(4)
        stops.append((stop.step, stop.reason, stop.write, write, state(session)))
    assert stops[0] == stops[1]
