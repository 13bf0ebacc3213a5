"""Loops on bytes that are done at once: the same results, traps, memory and fuel as one by one.

`PUREWASM_BYTE_LOOPS=5000 pytest tests/engine/translator/test_byte_loops.py` is the long run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from operator import length_hint
from random import Random
from types import ModuleType
from typing import Any

import pytest
import wasmtime

from purewasm_plugins import (
    Cancelled,
    DeadlineExceeded,
    Instance,
    OutOfFuel,
    ResourceLimits,
    Trap,
    instantiate,
)
from purewasm_plugins.engine.translator import linking, metering, skips
from purewasm_plugins.wasm import ValidModule, load
from tests.differential.comparison import compare
from tests.random_modules.byte_loops import random_arguments, random_byte_loops

COUNT = int(os.environ.get("PUREWASM_BYTE_LOOPS", "60"))


def _outcome(module: ValidModule, engine: str, name: str, given: list[int], fuel: int) -> Any:
    """Return what a call results in: its results, its trap, its fuel and the memory."""
    instance = _instance(module, engine, fuel)
    try:
        answer = instance.exports.function(name)(*given)
    except Trap as trap:
        answer = trap.reason
    return answer, instance.fuel_used, bytes(instance.exports.memory().raw)


def _instance(module: ValidModule, engine: str, fuel: int) -> Instance:
    limits = ResourceLimits(fuel=fuel, timeout=None)
    return instantiate(module, engine=engine, limits=limits)


@pytest.mark.parametrize("start", range(4))
def test_as_one_by_one(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(start * COUNT, (start + 1) * COUNT):
        random = Random(seed)
        data = wasmtime.wat2wasm(random_byte_loops(random))
        fast, slow = load(data), load(data)
        for _ in range(20):
            name = f"f{random.randrange(4)}"
            given = random_arguments(random)
            fuel = random.choice((100_000, 100_000, random.randint(0, 60), random.randint(0, 600)))
            found = _outcome(fast, "translator", name, given, fuel)
            with monkeypatch.context() as patched:
                patched.setattr(skips, "write_skip", lambda *arguments: None)
                expected = _outcome(slow, "translator", name, given, fuel)
            assert found[:2] == expected[:2], (seed, name, given, fuel)
            assert found[2] == expected[2], (seed, name, given, fuel)


@pytest.mark.parametrize("start", range(2))
def test_as_other_engines(start: int) -> None:
    """The same results, traps and memory as wasmtime, and the same fuel as pywasm."""
    for seed in range(start * COUNT // 4, (start + 1) * COUNT // 4):
        difference, calls = compare(bytes(wasmtime.wat2wasm(random_byte_loops(Random(seed)))))
        assert difference is None, seed
        assert calls > 8


Wat = Callable[[str], bytes]

#: Loops that are nearly operations on bytes: the body, and what p, q, n, c and i are at first. The
#: first 300 bytes are `a` to `z`, again and again.
DEFEATS = {
    "units in another order": (
        """(i32.store8 offset=1 (local.get $p) (i32.load8_u offset=1 (local.get $q)))
        (i32.store8 (local.get $p) (i32.load8_u (local.get $q)))
        (local.set $p (i32.add (local.get $p) (i32.const 2)))
        (local.set $q (i32.add (local.get $q) (i32.const 2)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (0, 1, 60, 0, 0),
    ),
    "words that overlap": (
        """(i32.store (local.get $p) (i32.load (local.get $q)))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $q (i32.add (local.get $q) (i32.const 4)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (3, 0, 60, 0, 0),
    ),
    "a pattern that repeats": (
        """(i32.store8 (local.get $p) (i32.load8_u (local.get $q)))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (local.set $q (i32.add (local.get $q) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (33, 3, 200, 0, 0),
    ),
    "a store to what ends the loop": (
        """(local.set $x (i32.load8_u (local.get $q)))
        (i32.store8 (local.get $p) (i32.const 0))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (local.set $q (i32.add (local.get $q) (i32.const 1)))
        (br_if $again (local.get $x))""",
        (50, 0, 0, 0, 0),
    ),
    "an address that falls below zero before its offset": (
        """(i32.store8 offset=40 (local.get $p) (i32.const 1))
        (local.set $p (i32.sub (local.get $p) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (30, 0, 60, 0, 0),
    ),
    "two counters that grow": (
        """(i32.store8 (local.get $p) (i32.const 1))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 2)))
        (local.set $i (i32.add (local.get $i) (i32.const 3)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $n)))""",
        (0, 0, -40, 0, -100),
    ),
    "a limit that wraps": (
        """(i32.store8 (local.get $p) (i32.const 1))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.add (local.get $n) (i32.const 100))))""",
        (0, 0, -1, 0, 0),
    ),
    "a word of different bytes": (
        """(local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $x (i32.xor (i32.load (local.get $p)) (local.get $c)))
        (br_if $again (i32.eqz (i32.and (i32.const 0x80808080) (i32.and
          (i32.xor (local.get $x) (i32.const -1))
          (i32.sub (local.get $x) (i32.const 0x01010101))))))""",
        (0, 0, 0, 0x7A424101, 0),
    ),
    "a value that grows": (
        """(i32.store8 (local.get $p) (local.get $n))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (0, 0, 60, 0, 0),
    ),
    "a pointer that is loaded": (
        """(local.set $q (i32.load8_u (local.get $p)))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (i32.ne (i32.load8_u (local.get $q)) (i32.const 0)))""",
        (0, 0, 0, 0, 0),
    ),
    "bytes that are summed": (
        """(local.set $x (i32.add (local.get $x) (i32.load8_u (local.get $p))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (i32.load8_u (local.get $p)))""",
        (0, 0, 0, 0, 0),
    ),
    "arms of an if in an if": (
        """(if (i32.eqz (local.get $c))
          (then (local.set $y (i32.const 1)))
          (else
            (if (local.get $x)
              (then (local.set $z (i32.const 5)))
              (else (local.set $z (i32.const 6))))
            (local.set $y (i32.const 2))))
        (i32.store8 (local.get $p) (i32.const 1))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))""",
        (0, 0, 60, 0, 0),
    ),
    "a counter in the else of an if": (
        """(local.set $x (i32.load8_u (local.get $p)))
        (if (i32.ne (local.get $x) (i32.const 122))
          (then (local.set $y (i32.const 1)))
          (else
            (if (local.get $n)
              (then (local.set $z (i32.const 5)))
              (else (local.set $z (i32.const 6))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br_if $again (local.get $x))""",
        (0, 0, 1, 0, 0),
    ),
}


@pytest.mark.parametrize("name", DEFEATS)
def test_what_is_no_such_operation(name: str, wat: Wat) -> None:
    body, given = DEFEATS[name]
    letters = "abcdefghijklmnopqrstuvwxyz" * 12
    locals_ = ("p", "q", "n", "c", "i", "x", "y", "z")
    data = wat(
        f"""(module (memory (export "memory") 1) (data (i32.const 0) "{letters[:300]}")
          (func (export "f") {" ".join(f"(param ${name} i32)" for name in locals_)}
            (result {"i32 " * len(locals_)})
            (loop $again {body}) {" ".join(f"(local.get ${name})" for name in locals_)}))"""
    )
    found = _outcome(load(data), "translator", "f", [*given, 0, 0, 0], 10_000)
    assert found == _outcome(load(data), "pywasm", "f", [*given, 0, 0, 0], 10_000)


#: It fills from 0 on, and so do all calls of `again`, without end.
FILL = """(module (memory (export "memory") 20)
  (func $fill (export "fill") (param $n i32) (local $at i32)
    (loop $next
      (i32.store8 (local.get $at) (i32.const 7))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.ne (local.get $at) (local.get $n)))))
  (func (export "again") (param $n i32)
    (loop $next (call $fill (local.get $n)) (br $next))))"""


@pytest.mark.parametrize("fuel", [0, 1, 2, 3, 17, 18, 500, 4999, 5000, 5001, 5002, 200_000])
def test_fuel_is_exact(fuel: int, wat: Wat) -> None:
    """As many bytes are filled as there are units, one aside for the function."""
    instance = _instance(load(wat(FILL)), "translator", fuel)
    wanted = 100_000 if fuel > 100_000 else 5000
    for _ in range(2):
        try:
            instance.exports.function("fill")(wanted)
        except OutOfFuel:
            assert fuel < wanted + 1
        assert instance.fuel_used == min(fuel, wanted + 1)
        assert instance.exports.memory().raw.count(7) == min(max(fuel - 1, 0), wanted)


def test_the_deadline_is_kept(wat: Wat) -> None:
    limits = ResourceLimits(timeout=0.1, fuel=None)
    instance = instantiate(wat(FILL), engine="translator", limits=limits)
    begin = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("again")(20 << 16)
    assert 0.1 <= time.monotonic() - begin < 5


def test_a_thread_cancels(wat: Wat) -> None:
    instance = instantiate(wat(FILL), engine="translator", limits=ResourceLimits(fuel=None))
    timer = threading.Timer(0.1, instance.budget.cancel)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        instance.exports.function("again")(20 << 16)
    assert time.monotonic() - begin < 5
    timer.join()


def test_progress_is_reported(wat: Wat) -> None:
    """While one loop is done at once, and with the units that it has used so far."""
    limits = ResourceLimits(timeout=1.0, fuel=None)
    instance = instantiate(wat(FILL), engine="translator", limits=limits)
    reports: list[int] = []
    instance.budget.progress = reports.append
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("again")(20 << 16)
    assert len(reports) > 20
    assert reports == sorted(reports)
    assert reports[-1] <= instance.fuel_used


@pytest.mark.parametrize("threads", [3])
def test_threads_that_recheck_limits(threads: int, wat: Wat) -> None:
    """They drop what is left of slices; not a unit is lost or counted twice."""
    instance = instantiate(wat(FILL), engine="translator", limits=ResourceLimits(timeout=None))
    over = threading.Event()

    def recheck() -> None:
        while not over.is_set():
            instance.budget.recheck_limits()

    others = [threading.Thread(target=recheck) for _ in range(threads)]
    for other in others:
        other.start()
    try:
        for wanted in [20, 100, 3000, 70_000] * 20:
            instance.exports.function("fill")(wanted)
            assert instance.fuel_used == wanted + 1
    finally:
        over.set()
        for other in others:
            other.join()


@pytest.mark.parametrize("module", [metering, linking])
@pytest.mark.parametrize("early", [True, False])
def test_units_dropped_while_they_are_counted(
    module: ModuleType, early: bool, wat: Wat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread drops them just before or just after it is read how many are left."""
    instance = instantiate(wat(FILL), engine="translator")

    def racing(iterator: object) -> int:
        if early:
            instance.budget.recheck_limits()
        left = length_hint(iterator)
        instance.budget.recheck_limits()
        return left

    instance.exports.function("fill")(20)
    monkeypatch.setattr(module, "length_hint", racing)
    instance.exports.function("fill")(30)
    assert instance.fuel_used == 31
