"""The debugger: its speed, the time of a step backwards, and the memory of the history."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.measure import Effort, Timings, interleaved
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration, times
from purewasm_plugins import Instance, instantiate
from purewasm_plugins.debugger import DebugSession

_COMMAND = "python -m benchmarks --only debugging"

#: `(func (export "sum") (param i32) (result i32))`: adds the squares of 0, 1, 2 … up to the
#: parameter, keeping each sum in memory. 19 instructions per iteration. In bytes, so that
#: no assembler is needed.
#:
#: (loop $next
#:   (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 2) (local.get 2))))
#:   (i32.store (i32.and (i32.shl (local.get 2) (i32.const 2)) (i32.const 0x3fc)) (local.get 1))
#:   (br_if $next (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))
#: (local.get 1)
_BODY = bytes.fromhex(
    "01027f"
    "0340"
    "2001" "2002" "2002" "6c" "6a" "2101"
    "2002" "4102" "74" "41fc07" "71" "2001" "360200"
    "2002" "4101" "6a" "2202" "2000" "49" "0d00"
    "0b"
    "2001"
    "0b"
)  # fmt: skip
_MODULE = (
    bytes.fromhex("0061736d01000000" "0106" "0160017f017f" "03020100" "05030100" "11")
    + bytes.fromhex("0707" "0103") + b"sum" + bytes.fromhex("0000")
    + bytes((0x0A, len(_BODY) + 2, 1, len(_BODY))) + _BODY
)  # fmt: skip
_INSTRUCTIONS = 20

#: Iterations of the loop per unit of work.
_ROUNDS = 500

#: The lengths in instructions of the calls in which steps backwards are measured.
_LENGTHS = (100_000, 1_000_000)


def debugging(effort: Effort) -> Iterator[Table]:
    """Measure running, steps backwards, and memory."""
    instance = instantiate(_MODULE, engine="pywasm")
    timings = _speed(instance, effort)
    rows = [
        [
            name,
            duration(timings.median(name) / (_ROUNDS * _INSTRUCTIONS)),
            f"{_ROUNDS * _INSTRUCTIONS / timings.median(name):,.0f}",
            times(1 / timings.ratio(name, "pywasm engine")),
        ]
        for name in timings.rounds
    ]
    columns = ["running", "an instruction", "instructions/s", "speed"]
    yield Table("The debugger: running", _COMMAND, columns, rows)

    rows, slowest = [], 0.0
    lengths = _LENGTHS[:1] if effort.rounds < 5 else _LENGTHS
    for length in lengths:
        session, took = _walked(instance, length)
        backwards = _times_of(session.step_back, effort.rounds)
        forwards = _times_of(session.step, effort.rounds)
        slowest = max(slowest, *backwards)
        rows.append(
            [
                f"{session.step_number:,}",
                duration(took),
                duration(statistics.median(backwards)),
                duration(max(backwards)),
                duration(statistics.median(forwards)),
                f"{session.history_size / 1e6:.2f} MB",
                f"{_weight(instance, length) / 1e6:.2f} MB",
            ]
        )
    columns = ["instructions", "run", "a step back", "the slowest", "forwards again"]
    columns += ["history, as estimated", "as allocated"]
    yield Table("The debugger: going back", _COMMAND, columns, rows)

    goals = [
        Goal(
            "the plain engine's speed, without breakpoints",
            1 / timings.ratio("debugger", "pywasm engine"),
            0.5,
            at_least=True,
        ),
        Goal(f"a step back after {lengths[-1]:,} instructions", slowest * 1000, 200, unit="ms"),
    ]
    yield Table("The debugger: goals", _COMMAND, GOAL_COLUMNS, [goal.row() for goal in goals])


def _speed(instance: Instance, effort: Effort) -> Timings:
    """Time the same work on the plain engine and in sessions."""
    function: Any = instance.exports["sum"]

    def session(prepare: Callable[[DebugSession], object]) -> Callable[[int], object]:
        def run(units: int) -> None:
            debugged = DebugSession.for_function(instance, "sum", units * _ROUNDS)
            prepare(debugged)
            debugged.resume()

        return run

    return interleaved(
        {
            "pywasm engine": lambda units: function(units * _ROUNDS),
            "debugger": session(lambda _: None),
            "with a breakpoint elsewhere": session(lambda s: s.stops.add_breakpoint("sum:1")),
            "with a condition, once a round": session(
                lambda s: s.stops.add_breakpoint("sum:4", condition="local[1] == -1 and stack")
            ),
            "with a watchpoint": session(lambda s: s.stops.watch_memory(60_000, 4)),
        },
        effort,
    )


def _walked(instance: Instance, length: int) -> tuple[DebugSession, float]:
    """Return a session that has run a number of instructions, and the seconds that it took."""
    session = DebugSession.for_function(instance, "sum", 2 * length // _INSTRUCTIONS)
    start = time.process_time()
    session.resume(limit=length)
    return session, time.process_time() - start


def _times_of(move: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(max(count, 3)):
        start = time.process_time()
        move()
        found.append(time.process_time() - start)
    return found


def _weight(instance: Instance, length: int) -> int:
    """Return the bytes that remain allocated after a number of instructions."""
    session = DebugSession.for_function(instance, "sum", 2 * length // _INSTRUCTIONS)
    session.resume(limit=1)
    tracemalloc.start()
    try:
        session.resume(limit=min(length, 100_000))
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return kept * length // min(length, 100_000)
