"""Exceptions that a signal's handler raises, wherever CPython runs one: no answer is ever wrong.

`PUREWASM_INTERRUPTS` says how many the random test raises; 100 000 take some minutes.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

import pytest

from purewasm_plugins import Instance, ResourceLimits, Trap, WasmError
from purewasm_plugins.engine import instantiate
from purewasm_plugins.engine.translator.stack import PYTHON_STACK
from tests.conftest import DISTURBED

if DISTURBED:
    pytest.skip(DISTURBED, allow_module_level=True)

Wat = Callable[[str], bytes]

MODULE = """
(module
  (import "h" "f" (func $host (param i32) (result i32)))
  (memory (export "memory") 1 1000)
  (table 1 funcref) (elem (i32.const 0) $down)
  (global $turns (export "turns") (mut i32) (i32.const 0))
  (func $sum (export "sum") (param $n i32) (result i32) (local $sum i32)
    (loop
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $down (export "down") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call_indirect (param i32) (result i32)
        (i32.sub (local.get $n) (i32.const 1)) (i32.const 0))))
      (else (i32.const 0))))
  (func (export "outer") (param $turns i32) (param $n i32) (result i32) (local $sum i32)
    (loop
      (local.set $sum (i32.add (local.get $sum) (call $host (local.get $n))))
      (br_if 0 (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
    (i32.add (local.get $sum) (call $sum (i32.const 3))))
  (func (export "fill") (param $n i32) (result i32) (local $at i32)
    (loop
      (i32.store8 (local.get $at) (local.get $n))
      (br_if 0 (i32.ne
        (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $n))))
    (i32.add (local.get $at) (i32.load8_u (i32.const 39))))
  (func (export "grow") (result i32) (i32.add (memory.grow (i32.const 1)) (i32.const 1))))
"""

#: Some mean a trap where generated code raises them, some end an iterator, some are no `Exception`.
RAISED = (
    ValueError,
    IndexError,
    OverflowError,
    RecursionError,
    ZeroDivisionError,
    StopIteration,
    MemoryError,
    KeyboardInterrupt,
    GeneratorExit,
)


class Interrupted:
    """An instance, and a host that calls back into it and catches every exception."""

    def __init__(self, data: bytes) -> None:
        limits = ResourceLimits(call_depth=200)
        imports = {"h": {"f": self.host}}
        self.instance: Instance = instantiate(data, imports, engine="translator", limits=limits)

    def call(self, name: str, *arguments: int) -> Any:
        return self.instance.exports.function(name)(*arguments)

    def host(self, n: int) -> int:
        for name in ("down", "sum"):
            with suppress(BaseException):
                assert self.call(name, n) == expected(name, n), name
        return n

    def check(self) -> None:
        """Compare answers, and fuel, without interrupts."""
        assert self.call("sum", 700) == 245350
        assert self.instance.fuel_used == 701
        assert self.call("outer", 2, 9) == 24
        assert self.instance.fuel_used == 1 + 2 + 2 * (10 + 10) + 4
        assert self.call("down", 150) == 150
        with pytest.raises(Trap, match="exhausted"):
            self.call("down", 200)
        memory = self.instance.exports.memory()
        assert len(memory.raw) == memory.size
        assert not PYTHON_STACK._holders


def expected(name: str, *arguments: int) -> int:
    match name, arguments:
        case "sum", (n,):
            return n * (n + 1) // 2
        case "down", (n,):
            return n
        case "fill", (n,):
            return 2 * n
        case "outer", (turns, n):
            return turns * n + 6
    raise ValueError(name)


class Injector:
    """A profiler that raises at the n-th place where a function begins, or a call has returned.

    Attributes:
        raised: whether there were so many places.
    """

    def __init__(self, at: int, exception: type[BaseException]) -> None:
        self.left = at
        self.exception = exception
        self.raised = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if self.raised or event == "c_call" or not self._is_ours(code.co_filename):
            return
        if event == "return" and (code.co_name == "__next__" or code.co_flags & CO_GENERATOR):
            # The one never returns: it raises. The other yields. No handler runs there.
            return
        self.left -= 1
        if self.left < 0:
            self.raised = True
            raise self.exception

    def _is_ours(self, file: str) -> bool:
        return file.startswith("<wasm") or "purewasm_plugins/" in file or file == "<string>"


@pytest.mark.parametrize("name", ["sum", "down", "outer", "fill", "first"])
@pytest.mark.parametrize("exception", [KeyboardInterrupt, IndexError, StopIteration])
def test_at_each_place(name: str, exception: type[BaseException], wat: Wat) -> None:
    """One after the other, in a call that takes several slices, and in functions' first calls."""
    data = wat(MODULE)
    subject = Interrupted(data)
    subject.check()
    table = {"sum": (40,), "down": (40,), "outer": (2, 20), "fill": (40,), "first": (3,)}
    arguments = table[name]
    at, called = 0, "down" if name == "first" else name
    while True:
        if name == "first":
            subject = Interrupted(data)
        subject.instance.budget.recheck_limits()
        injector = Injector(at, exception)
        answer, error = None, None
        try:
            sys.setprofile(injector)
            answer = subject.call(called, *arguments)
        except BaseException as raised:
            error = raised
        finally:
            sys.setprofile(None)
        # A translation reports this exception as a bug; a generator converts StopIteration.
        assert error is None or isinstance(error, (exception, WasmError, RuntimeError)), at
        assert answer is None or answer == expected(called, *arguments), at
        assert gc.isenabled()
        if not injector.raised:
            break
        subject.check()
        # Most of the places are in loops, or in translation, and alike.
        at += 1 if at < 200 else 23
    # A loop that is done at once has few places.
    assert at > (5 if name == "fill" else 20)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
def test_at_random(wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is raised in a weak reference's callback is reported there, and goes no further.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    wanted = int(os.environ.get("PUREWASM_INTERRUPTS", "2000"))
    generator = random.Random(wanted)
    armed, raised = False, 0
    answers: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if armed:
            raised += 1
            raise generator.choice(RAISED)

    def attempt(name: str, *arguments: int) -> None:
        nonlocal armed
        try:
            armed = True
            for _ in range(50):
                answers.append(subject.call(name, *arguments))
        except BaseException:
            pass
        finally:
            armed = False

    limit = sys.getrecursionlimit()
    before = signal.signal(signal.SIGALRM, handler)
    end = time.monotonic() + wanted / 50
    try:
        while raised < wanted and time.monotonic() < end:
            if raised % 10 == 0:
                subject = Interrupted(wat(MODULE))
            name = generator.choice(("sum", "down", "outer", "outer", "grow"))
            arguments = {"sum": (3000,), "down": (150,), "outer": (30, 60), "grow": ()}[name]
            # In the middle of a call, most of the time; and again, while it ends.
            delay = 1e-5 + generator.choice((5e-5, 2e-4, 1e-3)) * generator.random()
            signal.setitimer(signal.ITIMER_REAL, delay, generator.choice((3e-5, 1e-4)))
            attempt(name, *arguments)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if name != "grow":
                assert set(answers) <= {expected(name, *arguments)}, name
            answers.clear()
            subject.check()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    print(f"{raised} exceptions were raised")
    assert raised >= min(wanted, 500)
    assert sys.getrecursionlimit() == limit
