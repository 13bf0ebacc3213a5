"""Traces: each instruction, and each call."""

from __future__ import annotations

import pytest

from purewasm_plugins.debugger import (
    LocationError,
    calls,
    trace,
)
from tests.debugger.programs import FACTORIALS, start


def test_a_trace_tells_the_stack_after_each_instruction() -> None:
    steps = list(trace(start(FACTORIALS, "all", 1), function="factorial"))
    assert [step.text for step in steps[:2]] == ["global.get $calls", "i32.const 1"]
    assert [value.value for value in steps[1].stack] == [0, 1]
    assert {step.depth for step in steps} == {1}
    assert len(list(trace(start(FACTORIALS, "all", 3), limit=7))) == 7
    with pytest.raises(LocationError, match="no function has that name"):
        list(trace(start(FACTORIALS, "all", 3), function="nothing"))


def test_the_tree_of_calls() -> None:
    events = list(calls(start(FACTORIALS, "all", 2)))
    assert [(e.depth, e.name, e.values, e.returns) for e in events] == [
        (0, "all", (2,), False),
        (1, "factorial", (0,), False),
        (1, "factorial", (1,), True),
        (1, "factorial", (1,), False),
        (2, "factorial", (0,), False),
        (2, "factorial", (1,), True),
        (1, "factorial", (1,), True),
        (0, "all", (1,), True),
    ]
    assert len(list(calls(start(FACTORIALS, "all", 2), limit=3))) == 3


def test_calls_of_host_functions_are_in_the_tree() -> None:
    module = """(module (import "h" "add" (func $add (param i32 i32) (result i32)))
      (func (export "f") (result i32) (call $add (i32.const 2) (i32.const 3))))"""
    events = list(calls(start(module, "f", imports={"h": {"add": lambda a, b: a + b}})))
    assert [(e.name, e.values, e.returns, e.host) for e in events] == [
        ("f", (), False, False),
        ("add", (2, 3), False, True),
        ("add", (5,), True, True),
        ("f", (5,), True, False),
    ]
