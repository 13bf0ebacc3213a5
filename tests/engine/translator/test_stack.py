"""Python's recursion limit under the translator: raised where it must be, and given back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from purewasm_plugins import Instance, ResourceLimits, Trap, TrapReason
from purewasm_plugins.engine import instantiate
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.engine.translator.stack import PYTHON_STACK

Wat = Callable[[str], bytes]

DOWN = """
(module
  (import "h" "f" (func $host))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $host) (i32.const 0))))
  (func (export "host_and_down") (param i32) (result i32)
    (call $host) (call $down (local.get 0))))
"""


@pytest.fixture
def limit() -> Iterator[int]:
    """Python's recursion limit, which is the same after the test."""
    limit = sys.getrecursionlimit()
    yield limit
    after = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    assert after == limit


def link(wat: Wat, host: Callable[[], Any] = lambda: None, **limits: Any) -> Instance:
    return instantiate(
        wat(DOWN), {"h": {"f": host}}, engine="translator", limits=ResourceLimits(**limits)
    )


@pytest.mark.parametrize("depth", [0, 1, 10, 1000, 50_000, None])
def test_it_is_never_lower_and_given_back(wat: Wat, limit: int, depth: int | None) -> None:
    seen: list[int] = []
    instance = link(wat, lambda: seen.append(sys.getrecursionlimit()), call_depth=depth)
    for levels in (0, 9, 900, 40_000, 200_000):
        with (
            nullcontext() if levels < (100_000 if depth is None else depth) else pytest.raises(Trap)
        ):
            assert instance.exports.function("down")(levels) == levels
        assert sys.getrecursionlimit() == limit
    assert all(one >= limit for one in seen)
    assert bool(seen) == (depth != 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_given_back_whatever_a_host_function_raises(
    wat: Wat, limit: int, error: type[BaseException]
) -> None:
    def host() -> None:
        raise error

    instance = link(wat, host)
    for _ in range(3):
        with pytest.raises(error):
            instance.exports.function("down")(700)
        assert sys.getrecursionlimit() == limit


def test_what_a_host_function_sets_stays(wat: Wat, limit: int) -> None:
    wanted = limit + 77_777
    instance = link(wat, lambda: sys.setrecursionlimit(wanted))
    assert instance.exports.function("down")(500) == 500
    assert sys.getrecursionlimit() == wanted
    assert instance.exports.function("host_and_down")(500) == 500
    assert sys.getrecursionlimit() == wanted
    sys.setrecursionlimit(limit)
    assert link(wat).exports.function("down")(500) == 500


def test_the_first_call_to_end_leaves_it_to_the_other(wat: Wat, limit: int) -> None:
    """A call of one thread ends while that of another thread blocks, and later needs the stack."""
    deep_waits, shallow_is_over = threading.Event(), threading.Event()

    def wait() -> None:
        deep_waits.set()
        assert shallow_is_over.wait(300)
        host[0] = lambda: None

    host: list[Callable[[], None]] = [wait]
    deep = link(wat, lambda: host[0](), call_depth=20_000)
    shallow = link(wat)
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(deep.exports.function("host_and_down")(19_990)),
        daemon=True,
    )
    thread.start()
    assert deep_waits.wait(300)
    assert shallow.exports.function("down")(900) == 900
    assert sys.getrecursionlimit() > limit
    shallow_is_over.set()
    thread.join()
    assert results == [19_990]


def test_a_host_function_deep_down_has_stack_of_its_own(wat: Wat, limit: int) -> None:
    def recursion(levels: int) -> int:
        return levels and 1 + recursion(levels - 1)

    found: list[int] = []
    instance = link(wat, lambda: found.append(recursion(900)))
    assert instance.exports.function("down")(999) == 999
    assert found == [900]


def test_calls_back_have_the_depth_each(wat: Wat, limit: int) -> None:
    """Sixty-three in each other, as many as there may be."""
    levels = iter(range(63))

    def host() -> None:
        if next(levels, None) is not None:
            assert instance.exports.function("down")(900) == 900

    instance = link(wat, host)
    assert instance.exports.function("down")(900) == 900
    assert next(levels, None) is None


@pytest.mark.parametrize("inner", [0, 99, 100])
@pytest.mark.parametrize("levels", [1, 3, 6])
def test_the_depth_is_exact_around_calls_back(
    wat: Wat, limit: int, levels: int, inner: int
) -> None:
    """After a call back that was short, and after one that needed slices of its own or trapped."""
    left = 0

    def host() -> None:
        nonlocal left
        if not left:
            return
        left -= 1
        if inner < 100:
            assert instance.exports.function("host_and_down")(inner - 1 if inner else 0) is not None
        else:
            with pytest.raises(Trap):
                instance.exports.function("host_and_down")(inner)

    instance = link(wat, host, call_depth=100)
    for outer in (98, 99, 2000, 98):
        left = levels
        with nullcontext() if outer < 99 else pytest.raises(Trap, match="exhausted"):
            assert instance.exports.function("host_and_down")(outer) == outer


def test_without_a_budget_there_is_a_limit_still(wat: Wat, limit: int) -> None:
    engine = Translator(metered=False)
    limits = ResourceLimits(call_depth=2000)
    instance = instantiate(wat(DOWN), {"h": {"f": lambda: None}}, engine=engine, limits=limits)
    assert instance.exports.function("down")(1999) == 1999
    with pytest.raises(Trap) as raised:
        instance.exports.function("down")(20_000)
    assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED


#: Each instance calls the next through a host function.
CHAIN = """
import sys, threading
from purewasm_plugins import Trap, instantiate
from purewasm_plugins.wasm import load

module = load(bytes.fromhex(sys.argv[1]))

def link(following):
    host = (lambda n: n) if following is None else following.exports["run"]
    return instantiate(module, {"h": {"f": lambda n: host(n)}})

chain = [link(None)]
while len(chain) < 9000:
    chain.append(link(chain[-1]))

def run():
    for count in (60, 9000, 9000, 60):
        try:
            print(chain[count - 1].exports["run"](5))
        except Trap as trap:
            print(trap.reason, 60 < len(trap.frames) < 200)
    print(sys.getrecursionlimit())

run()
threading.stack_size(512 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def test_a_chain_of_instances_ends(wat: Wat, pytestconfig: pytest.Config) -> None:
    """Calls through host functions take C's stack: there is one ceiling for all instances."""
    module = """(module (import "h" "f" (func $f (param i32) (result i32)))
        (func (export "run") (param i32) (result i32)
          (i32.add (i32.const 1) (call $f (local.get 0)))))"""
    done = subprocess.run(
        [sys.executable, "-c", CHAIN, wat(module).hex()],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    exhausted = "call stack exhausted True"
    expected = ["65", exhausted, exhausted, "65", "1000"]
    assert done.stdout.splitlines() == expected * 2


def test_what_was_not_released_is_forgotten(wat: Wat, limit: int) -> None:
    """A signal's handler may raise in front of the release."""
    instance = link(wat)
    instance.budget.nesting = 1
    PYTHON_STACK.reserve(instance.budget, 5000, 1000)  # type: ignore[arg-type]
    assert sys.getrecursionlimit() > limit
    instance.budget.nesting = 0
    assert link(wat).exports.function("down")(500) == 500


def many_locals(count: int) -> str:
    """A recursive function with a number of variables of different values."""
    local = " ".join(["i64"] * count)
    values = "".join(
        f"(local.set {n} (i64.add (local.get 0) (i64.const {n * 0x1234567})))"
        for n in range(1, count + 1)
    )
    total = "".join(f"local.get {n} i64.add " for n in range(1, count + 1))
    return f"""(module (func $f (export "f") (param i64) (result i64) (local {local}) {values}
      (if (i64.ne (local.get 0) (i64.const 0))
        (then (drop (call $f (i64.sub (local.get 0) (i64.const 1))))))
      local.get 0 {total}))"""


def test_large_frames_are_functions_like_others(start: Any) -> None:
    count = 300
    instance = start(many_locals(count), call_depth=20)
    total = 0x1234567 * count * (count + 1) // 2
    for depth in (3, 19, 0, 19):
        assert instance.exports["f"](depth) == total + depth * (count + 1)
        assert instance.fuel_used == depth + 1
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            instance.exports["f"](20)
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED


LARGE = """
import resource, sys
from purewasm_plugins import Trap, instantiate

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

function = instantiate(bytes.fromhex(sys.stdin.read())).exports["f"]
function(0)
before = peak()
try:
    function(990)
except Trap as trap:
    print(trap.reason, len(trap.frames) < 990)
megabytes = (peak() - before) / (1 << 20 if sys.platform == "darwin" else 1 << 10)
print(megabytes < 100, file=sys.stdout if megabytes < 100 else sys.stderr)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="resource is not everywhere")
def test_large_frames_have_a_bound(wat: Wat, pytestconfig: pytest.Config) -> None:
    """The call depth alone would let them take most of a gigabyte."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE],
        input=wat(many_locals(7_000)).hex(),
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines() == ["call stack exhausted True", "True"], done.stderr


#: The child of a fork has one thread only, and none of the others' calls.
FORK = """
import os, sys, threading
from purewasm_plugins import instantiate
from purewasm_plugins.engine.translator.stack import PYTHON_STACK

running, over = threading.Event(), threading.Event()

def wait():
    running.set()
    over.wait(300)

data = bytes.fromhex(sys.argv[1])
waiting = instantiate(data, {"h": {"f": wait}}).exports["host_and_down"]
thread = threading.Thread(target=waiting, args=(900,))
thread.start()
running.wait(300)
down = instantiate(data, {"h": {"f": lambda: None}}).exports["down"]
limits = []

def fork():
    with PYTHON_STACK._lock:
        locked.set()
        forked.wait(300)

locked, forked = threading.Event(), threading.Event()
holder = threading.Thread(target=fork)
holder.start()
locked.wait(300)
child = os.fork()
if not child:
    print(down(900), sys.getrecursionlimit(), len(PYTHON_STACK._holders), flush=True)
    os._exit(0)
forked.set()
print(os.waitpid(child, 0)[1])
over.set()
thread.join()
holder.join()
print(down(900), sys.getrecursionlimit())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child(wat: Wat, pytestconfig: pytest.Config) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, wat(DOWN).hex()],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == ["900 1000 0", "0", "900 1000"], done.stderr


#: On the stack of a thread that is small: calls that go through C would end the process.
SMALL_STACK = """
import sys, threading
from purewasm_plugins import ResourceLimits, Trap, instantiate

def run():
    limits = ResourceLimits(call_depth=None)
    chain, down = (bytes.fromhex(text) for text in sys.argv[1:])
    instance = instantiate(chain, limits=limits)
    print(instance.exports["first"](5))
    down = instantiate(down, {"h": {"f": lambda: None}}, limits=limits).exports["down"]
    print(down(99_999))
    for levels in (100_000, 2_000_000):
        try:
            down(levels)
        except Trap as trap:
            print(trap.reason, len(trap.frames))

threading.stack_size(512 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def test_calls_take_no_stack_of_c(wat: Wat, pytestconfig: pytest.Config) -> None:
    """However many there are, and even where all of them are the first of their function."""
    count = 1500
    functions = [
        f"(func $f{n} (param i32) (result i32) (call $f{n + 1} (local.get 0)))"
        for n in range(count)
    ]
    chain = f"""(module {"".join(functions)} (func $f{count} (param i32) (result i32) (local.get 0))
                  (export "first" (func $f0)))"""
    done = subprocess.run(
        [sys.executable, "-c", SMALL_STACK, wat(chain).hex(), wat(DOWN).hex()],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    exhausted = "call stack exhausted 100001"
    assert done.stdout.splitlines() == ["5", "99999", exhausted, exhausted]
