"""Loading a module: time and memory against pywasm.

pywasm decodes without validation; this package validates everything.
"""

from __future__ import annotations

import gc
import statistics
import tracemalloc
from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.measure import Effort, Subject, Timings, interleaved, repeating
from benchmarks.plugin_speed import plugin_paths
from benchmarks.report import GOAL_COLUMNS, NOTHING, Goal, Table, duration, times
from purewasm_plugins.wasm import load
from purewasm_plugins.wasm.binary.instructions import instructions

#: The least size of a module here: smaller ones do not measure the loop over instructions.
SMALLEST = 20_000


def loading(effort: Effort) -> Iterator[Table]:
    """Measure decoding and validation of the real plugins against pywasm's decoding."""
    rows, time_ratios, memory_ratios = [], [], []
    notes: list[str] = []
    for path in plugin_paths():
        data = path.read_bytes()
        if len(data) < SMALLEST:
            continue
        module = load(data).module
        count = sum(1 for code in module.functions for _ in instructions(data, code.body))
        ours = peak_memory(lambda data=data: load(data))  # type: ignore[misc]
        timings = _timings(data, effort, notes)
        time_ratio = memory_ratio = None
        theirs = NOTHING
        if "pywasm" in timings:
            time_ratio = timings.ratio("purewasm", "pywasm")
            time_ratios.append(time_ratio)
            peak = peak_memory(lambda data=data: peers.pywasm_decode(data))  # type: ignore[misc]
            memory_ratio = ours / peak
            memory_ratios.append(memory_ratio)
            theirs = f"{peak / 1e6:.1f} MB"
        seconds = timings.median("purewasm")
        rows.append(
            [
                path.name,
                f"{len(data):,}",
                f"{count:,}",
                duration(seconds),
                duration(seconds / count),
                duration(timings.median("pywasm")) if "pywasm" in timings else NOTHING,
                times(time_ratio),
                f"{ours / 1e6:.2f} MB",
                theirs,
                times(memory_ratio),
            ]
        )
    command = "python -m benchmarks --only loading"
    columns = ["module", "bytes", "instructions", "load", "each", "pywasm", "ratio"]
    columns += ["peak", "pywasm's", "ratio"]
    yield Table("Loading: decode and validate", command, columns, rows, notes)
    goals = [
        Goal(
            "the time of pywasm's decoding, the slowest module", max(time_ratios, default=None), 0.5
        ),
        Goal("its peak memory, the module that takes most", max(memory_ratios, default=None), 0.1),
    ]
    if time_ratios:
        goals.append(Goal("its time, all of them", statistics.geometric_mean(time_ratios), 0.5))
    yield Table("Loading: goals", command, GOAL_COLUMNS, [goal.row() for goal in goals])


def _timings(data: bytes, effort: Effort, notes: list[str]) -> Timings:
    subjects: dict[str, Subject] = {"purewasm": repeating(lambda: load(data))}
    try:
        peers.pywasm_decode(data)
    except peers.Unavailable as reason:
        note = f"pywasm is left out: {reason}."
        if note not in notes:
            notes.append(note)
    else:
        subjects["pywasm"] = repeating(lambda: peers.pywasm_decode(data))
    return interleaved(subjects, effort)


def peak_memory(call: Callable[[], object]) -> int:
    """Return the peak bytes of the Python objects that a call allocates."""
    gc.collect()
    tracemalloc.start()
    try:
        result = call()
        _, peak = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return peak
