"""Several calls of an instance as one operation: one deadline, and cancelled together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import Cancelled, DeadlineExceeded, Instance
from purewasm_plugins.runtime.limits import Operation

Start = Callable[..., Instance]

#: `turns` loops so often, and `nap` calls the host before its one turn.
MODULE = """(module (import "env" "nap" (func $nap))
  (func $turns (export "turns") (param i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "nap") (call $nap) (call $turns (i32.const 1))))"""

FOREVER = 2**31 - 1


def started(start: Start, **limits: Any) -> Instance:
    return start(MODULE, {"env": {"nap": lambda: time.sleep(0.15)}}, fuel=None, **limits)


def test_calls_share_a_deadline(start: Start) -> None:
    instance = started(start, timeout=60)
    operation = Operation(1.0)
    operation.include(instance.budget)
    instance.exports.function("nap")()
    operation.check()
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("turns")(FOREVER)
    assert time.monotonic() - begun < 10
    with pytest.raises(DeadlineExceeded):
        operation.check()


def test_after_its_end_each_call_has_its_own(start: Start) -> None:
    instance = started(start, timeout=60)
    operation = Operation(0.0)
    operation.include(instance.budget)
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("turns")(FOREVER)
    operation.end()
    operation.cancel()
    instance.exports.function("turns")(1000)


def test_an_operation_may_take_longer_than_a_call(start: Start) -> None:
    instance = started(start, timeout=0.05)
    operation = Operation(None)
    operation.include(instance.budget)
    instance.exports.function("nap")()


def test_cancelled_between_two_calls(start: Start) -> None:
    instance = started(start, timeout=60)
    operation = Operation(60)
    operation.include(instance.budget)
    instance.exports.function("turns")(100)
    operation.cancel()
    for _ in range(2):
        with pytest.raises(Cancelled):
            instance.exports.function("turns")(FOREVER)
    with pytest.raises(Cancelled):
        operation.check()


def test_cancelled_before_the_first_call(start: Start) -> None:
    instance = started(start, timeout=60)
    operation = Operation(60)
    operation.cancel()
    operation.include(instance.budget)
    with pytest.raises(Cancelled):
        instance.exports.function("turns")(FOREVER)


def test_the_next_operation_is_not_cancelled(start: Start) -> None:
    instance = started(start, timeout=60)
    first, second = Operation(60), Operation(60)
    first.include(instance.budget)
    first.end()
    second.include(instance.budget)
    first.cancel()
    instance.exports.function("turns")(1000)
