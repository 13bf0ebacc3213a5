"""A recursive function, by the number of Python frames below it.

CPython keeps frames in pieces of 16 KiB. A recursion across the border of a piece may allocate and
free one at every call, so the same work takes longer at some depths than at others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.measure import Effort, Subject
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration, times

COMMAND = "python -m benchmarks --only frames"

#: Frames below the call: together they are longer than a piece.
DEPTHS = range(0, 160, 4)

#: Units of work of a call.
UNITS = 12

SUBJECTS: dict[str, Callable[[str], Subject]] = {
    "purewasm": peers.translator,
    "pwasm": peers.pwasm,
    "hand-written": peers.handwritten,
}


def at_depth(depth: int, call: Callable[[], float]) -> float:
    """Call with a number of frames of this function below."""
    return at_depth(depth - 1, call) if depth else call()


def frames(effort: Effort) -> Iterator[Table]:
    """Measure the kernel `fib` at each depth: the least of some calls."""
    rows, notes = [], []
    spread = None
    for name, make in SUBJECTS.items():
        try:
            run = make("fib")
        except peers.Unavailable as reason:
            notes.append(f"{name} is left out: {reason}.")
            continue

        def timed(run: Subject = run) -> float:
            start = time.process_time()
            run(UNITS)
            return time.process_time() - start

        run(UNITS)
        found = [
            min(at_depth(depth, timed) for _ in range(effort.rounds)) / UNITS for depth in DEPTHS
        ]
        ratio = max(found) / min(found)
        if name == "purewasm":
            spread = ratio
        rows.append([name, duration(min(found)), duration(max(found)), times(ratio)])
    title = f"fib, with 0 to {DEPTHS[-1]} Python frames below it"
    yield Table(title, COMMAND, ["by", "fastest", "slowest", "ratio"], rows, notes)
    goal = Goal("the slowest by the fastest", spread, 1.3)
    yield Table("Frames: goal", COMMAND, GOAL_COLUMNS, [goal.row()])
