"""The history keeps to its bound."""

from __future__ import annotations

import pytest

from purewasm_plugins.debugger import (
    StopReason,
)
from purewasm_plugins.debugger.machine import execution, history
from tests.debugger.programs import start, state


def test_the_history_keeps_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SPACING", 50)
    monkeypatch.setattr(execution, "STRIDE", 10)
    session = start(
        """(module (memory (export "memory") 4) (func (export "f") (local $i i32)
          (loop $l
            (i32.store8 (i32.and (i32.mul (local.get $i) (i32.const 4096)) (i32.const 0x3ffff))
                        (local.get $i))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))))""",
        "f",
        history_bytes=400_000,
    )
    while session.resume(limit=1000).reason is StopReason.LIMIT:
        assert session.history_size < 400_000
    middle = session.go_to(7000)
    assert session.history_size < 400_000
    there = state(session)
    session.go_to(0)
    session.go_to(7000)
    assert (session.stop, state(session)) == (middle, there)
