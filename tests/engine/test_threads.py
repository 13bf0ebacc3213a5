"""Instances in several threads at once: none may feel the others, nor the rest of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import Instance, Trap

Start = Callable[..., Instance]

MODULE = """
(module
  (import "h" "f" (func $host))
  (func (export "spin") (param i32)
    (call $host)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $host) (i32.const 0))))
  (func $forever (export "forever") (call $forever)))
"""


def in_threads(*jobs: Callable[[], Any]) -> list[BaseException]:
    """Run them all at once; what they raised."""
    raised: list[BaseException] = []

    def run(job: Callable[[], Any]) -> None:
        try:
            job()
        except BaseException as exception:
            raised.append(exception)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def python_recursion(depth: int) -> int:
    return 0 if depth == 0 else 1 + python_recursion(depth - 1)


#: For a new process: a failure here would block pytest.
BESIDE = """
import faulthandler, sys, threading
from purewasm_plugins import ResourceLimits, Trap, instantiate

faulthandler.dump_traceback_later(12, exit=True)
engine, depth, data = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
running = threading.Event()
limits = ResourceLimits(call_depth=depth, fuel=None, timeout=6)
instance = instantiate(data, {"h": {"f": running.set}}, engine=engine, limits=limits)

def spin():
    try:
        instance.exports["spin"](0)
    except Trap as trap:
        print(trap.reason)

def recursion(depth):
    return 0 if depth == 0 else 1 + recursion(depth - 1)

spinner = threading.Thread(target=spin)
spinner.start()
running.wait(5)
print(recursion(700))
worker = threading.Thread(target=lambda: print(recursion(700)))
worker.start()
worker.join()
while spinner.is_alive():
    instance.cancel()
"""


@pytest.mark.parametrize("depth", [10, 1000])
def test_other_threads_keep_their_stack(
    engine: str, wat: Callable[[str], bytes], pytestconfig: pytest.Config, depth: int
) -> None:
    """A running instance with a small call stack does not shrink the stack of other Python code."""
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, engine, str(depth), wat(MODULE).hex()],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["700", "700", "cancelled"], done.stderr


def test_two_instances_at_once(start: Start) -> None:
    """Each goes as deep as its own limit lets it, while the other comes and goes."""
    both = threading.Barrier(2, timeout=30)
    deep = start(MODULE, {"h": {"f": lambda: None}}, call_depth=500)
    shallow = start(MODULE, {"h": {"f": lambda: None}}, call_depth=20)

    def many(instance: Instance, depth: int) -> None:
        both.wait()
        for _ in range(60):
            assert instance.exports.function("down")(depth) == depth

    jobs = [lambda: many(deep, 450), lambda: many(shallow, 10)]
    assert in_threads(*jobs) == []


def test_the_recursion_limit_is_as_it_was(start: Start) -> None:
    limit = sys.getrecursionlimit()
    instances = [start(MODULE, {"h": {"f": lambda: None}}, call_depth=n) for n in (30, 100, 300)]

    def many(instance: Instance) -> None:
        for _ in range(50):
            instance.exports.function("down")(20)
            with pytest.raises(Trap):
                instance.exports.function("forever")()

    assert in_threads(*(lambda i=i: many(i) for i in instances)) == []
    assert sys.getrecursionlimit() == limit


def test_a_host_function_has_stack_to_work_with(start: Start) -> None:
    """However small the instance's own is."""
    found: list[int] = []
    imports = {"h": {"f": lambda: found.append(python_recursion(300))}}
    for depth in (1, 5, 100):
        instance = start(MODULE, imports, call_depth=depth)
        instance.exports.function("down")(0)
        instance.exports.function("spin")(1)
    assert found == [300] * 6
