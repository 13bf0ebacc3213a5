"""The next call after a trap, against a warm call of the same tool and one instantiation."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.measure import Effort, geometric_mean
from benchmarks.plugin_speed import plugin_paths
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration, times
from benchmarks.sample_inputs import input_of
from purewasm_plugins import Cancellation, PluginTool, ToolExecutionError, WasmPlugin

COMMAND = "python -m benchmarks --only after-trap"
COLUMNS = ["tool", "a warm call", "an instantiation", "after a trap", "ratio"]


def trap(plugin: WasmPlugin, tool: PluginTool, text: str) -> None:
    """Let a call end with a trap, after which the plugin throws its instance away."""
    cancelled = Cancellation()
    cancelled.request()
    with contextlib.suppress(ToolExecutionError):
        plugin.execute_tool(tool.index, text, cancellation=cancelled)


def rounds(plugin: WasmPlugin, tool: PluginTool, text: str, count: int) -> list[list[float]]:
    """Return the seconds of a warm call, an instantiation and a call after a trap, by round."""

    def call() -> object:
        return plugin.execute_tool(tool.index, text)

    def seconds(measured: Callable[[], object]) -> float:
        start = time.process_time()
        measured()
        return time.process_time() - start

    found = []
    for _ in range(count):
        call()
        times_of = [seconds(call), seconds(plugin.module.instantiate)]
        trap(plugin, tool, text)
        found.append([*times_of, seconds(call)])
    return found


def after_trap(effort: Effort) -> Iterator[Table]:
    """Measure each tool of the real plugins."""
    rows, ratios = [], []
    seen: set[str] = set()
    for plugin in map(WasmPlugin.load, plugin_paths()):
        # Of a plugin with several builds, one is measured.
        if plugin.name in seen:
            continue
        seen.add(plugin.name)
        for tool in plugin.tools:
            found = rounds(plugin, tool, input_of(tool), 2 * effort.rounds + 1)
            warm, instantiation, after = map(statistics.median, zip(*found, strict=True))
            ratios.append(after / (warm + instantiation))
            cells = [duration(seconds) for seconds in (warm, instantiation, after)]
            rows.append([f"{plugin.name} {tool.name}", *cells, times(ratios[-1])])
    mean = geometric_mean(ratios)
    rows.append(["geometric mean", "", "", "", times(mean)])
    notes = ["The ratio is to a warm call plus an instantiation. The trap is a cancellation."]
    yield Table("The next call after a trap", COMMAND, COLUMNS, rows, notes)
    goal = Goal("by a warm call of the same tool plus one instantiation, mean", mean, 1.2)
    yield Table("After a trap: goal", COMMAND, GOAL_COLUMNS, [goal.row()])
