"""The next call after a trap, against a warm call of the same tool and one instantiation."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.measure import Effort
from benchmarks.plugin_speed import large_plugin
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration
from benchmarks.sample_inputs import sample_input
from purewasm_plugins import Module, ResourceLimits, ToolExecutionError, WasmPlugin

COMMAND = "python -m benchmarks --only after-trap"

#: Enough for the sample input, and not for as much as this many of them.
LIMITS = ResourceLimits(fuel=100_000)
TOO_LONG = 100


def after_trap(effort: Effort) -> Iterator[Table]:
    """Measure calls of a tool whose last call used up its fuel, in turns with warm ones."""
    path = large_plugin()
    plugin = WasmPlugin.load(path, limits=LIMITS)
    tool, text = sample_input(plugin)
    module = Module.compile(path)
    subjects: dict[str, Callable[[], object]] = {
        "a warm call": lambda: plugin.execute_tool(tool, text),
        "an instantiation": module.instantiate,
        "the next call after a trap": lambda: plugin.execute_tool(tool, text),
    }
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(2 * effort.rounds + 1):
        for name, subject in subjects.items():
            if name == "a warm call":
                subject()
            if name == "the next call after a trap":
                with contextlib.suppress(ToolExecutionError):
                    plugin.execute_tool(tool, TOO_LONG * text)
                    raise RuntimeError("the call had enough fuel")
            start = time.process_time()
            subject()
            seconds[name].append(time.process_time() - start)
    rows = [[name, duration(statistics.median(found))] for name, found in seconds.items()]
    notes = [f"{path.name}, its tool {tool} on {len(text)} characters; the trap is OutOfFuel."]
    yield Table("The next call after a trap", COMMAND, ["what", "median"], rows, notes)
    warm, instantiation, after = seconds.values()
    ratio = statistics.median(
        last / (first + second)
        for first, second, last in zip(warm, instantiation, after, strict=True)
    )
    goal = Goal("by a warm call of the same tool plus one instantiation", ratio, 1.2)
    yield Table("After a trap: goal", COMMAND, GOAL_COLUMNS, [goal.row()])
