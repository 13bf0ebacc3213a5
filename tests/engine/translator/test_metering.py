"""The sliced budget: exact fuel, deadlines kept, cancelling from a thread, progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import Cancelled, DeadlineExceeded, Instance, OutOfFuel, ResourceLimits, Trap
from purewasm_plugins.engine import instantiate

Wat = Callable[[str], bytes]

LOOP = """(module (func (export "run") (param i32)
  (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
FOREVER = '(module (func (export "run") (loop (br 0))))'


def start(data: bytes, imports: Any = None, **limits: Any) -> Instance:
    return instantiate(data, imports, engine="translator", limits=ResourceLimits(**limits))


@pytest.mark.parametrize("fuel", [*range(5), 100, 511, 512, 513, 2000, 5000])
def test_fuel_is_exact(fuel: int, wat: Wat) -> None:
    instance = start(wat(LOOP), fuel=fuel)
    for _ in range(3):
        if fuel > 1:
            instance.exports.function("run")(fuel - 1)
            assert instance.fuel_used == fuel
        with pytest.raises(OutOfFuel):
            instance.exports.function("run")(fuel)
        assert instance.fuel_used == fuel


def test_fuel_is_counted_across_slices(wat: Wat) -> None:
    instance = start(wat(LOOP))
    for turns in (1, 7, 511, 512, 513, 100_000, 3):
        instance.exports.function("run")(turns)
        assert instance.fuel_used == turns + 1


def test_a_swallowed_trap_ends_the_outer_call_too(wat: Wat) -> None:
    """A host function hides that fuel ran out: the loop around it must not end silently."""

    def host() -> None:
        with pytest.raises(OutOfFuel):
            instance.exports.function("run")()

    instance = start(
        wat(
            """(module (import "h" "f" (func $f)) (func (export "run") (loop (br 0)))
                 (global $g (export "g") (mut i32) (i32.const 0))
                 (func (export "outer")
                   (loop (call $f) (br_if 0 (i32.const 0))) (global.set $g (i32.const 1))))"""
        ),
        {"h": {"f": host}},
        fuel=1000,
    )
    with pytest.raises(OutOfFuel):
        instance.exports.function("outer")()
    assert instance.exports.global_("g").value == 0


def test_a_swallowed_trap_of_another_kind_does_not(wat: Wat) -> None:
    def host() -> None:
        with pytest.raises(Trap):
            instance.exports.function("fail")()

    instance = start(
        wat(
            """(module (import "h" "f" (func $f)) (func (export "fail") unreachable)
                 (func (export "outer") (param i32) (result i32) (local i32)
                   (loop (call $f) (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                         (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
                   (local.get 1)))"""
        ),
        {"h": {"f": host}},
    )
    assert instance.exports.function("outer")(600) == 600


@pytest.mark.parametrize("timeout", [0.0, 0.02, 0.1])
def test_deadline(timeout: float, wat: Wat) -> None:
    instance = start(wat(FOREVER), fuel=None, timeout=timeout)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("run")()
    assert time.monotonic() - begun < timeout + 0.5  # generous: machines are shared


def test_cancel_from_a_thread(wat: Wat) -> None:
    instance = start(wat(FOREVER), fuel=None, timeout=60)
    timer = threading.Timer(0.05, instance.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        instance.exports.function("run")()
    timer.join()


def test_progress(wat: Wat) -> None:
    instance = start(wat(LOOP))
    seen: list[int] = []
    instance.budget.progress = seen.append
    instance.exports.function("run")(100_000)
    assert seen == sorted(seen)
    assert len(seen) > 100
    assert seen[-1] <= 100_001


def test_an_exception_of_progress_comes_out(wat: Wat) -> None:
    def progress(used: int) -> None:
        raise IndexError("enough")

    instance = start(wat(LOOP))
    instance.budget.progress = progress
    with pytest.raises(IndexError, match="enough"):
        instance.exports.function("run")(100_000)
    instance.budget.progress = None
    instance.exports.function("run")(100_000)
