"""The times of plugins: a new process, a small call, a large call, a first call."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Effort, Subject, Timings, interleaved, repeating
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration
from benchmarks.sample_inputs import sample_input
from purewasm_plugins import WasmPlugin

ROOT = Path(__file__).parents[1]
PROCESSES = Path(__file__).parent / "processes"
ECHO = ROOT / "fixtures" / "wat" / "echo.wasm"
MIB = 1024 * 1024

#: The default engine.
ENGINE = "translator"


def plugin_paths() -> list[Path]:
    """Return the real plugins by name.

    The starters are left out, which do too little work, and the plugins that import functions.
    """
    paths = sorted((ROOT / "fixtures" / "plugins").glob("*/*.wasm"))
    left_out = ("starter", "wasi_starter", "host_functions")
    return [path for path in paths if path.parent.name not in left_out]


def large_plugin() -> Path:
    """Return the smallest plugin of at least 100 KB."""
    large = [path for path in plugin_paths() if path.stat().st_size >= 100_000]
    return min(large, key=lambda path: path.stat().st_size)


def process(
    script: str,
    *arguments: object,
    input: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a script of `processes/`, and return its output."""
    command = [sys.executable, str(PROCESSES / script), *map(str, arguments)]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {name: value for name, value in os.environ.items() if name != "PUREWASM_CACHE"}
    whole = {**own, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})}
    # Compile changed files once, not in each process.
    whole.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command, env=whole, input=input, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def new_process(effort: Effort) -> Iterator[Table]:
    """Measure a new process until the first output of the echo plugin."""
    subjects = {
        "bare interpreter": repeating(lambda: process("peak_memory.py")),
        "purewasm": repeating(lambda: process("first_answer.py", ECHO)),
    }
    notes = []
    try:
        process("first_answer_wasmtime.py", ECHO)
    except subprocess.CalledProcessError:
        notes.append("wasmtime is left out: it is not installed.")
    else:
        subjects["wasmtime"] = repeating(lambda: process("first_answer_wasmtime.py", ECHO))
    # A process is one unit: more rounds instead of more units.
    often = Effort(3 * effort.rounds, 0.0)
    timings = interleaved(subjects, often, clock=time.perf_counter)
    rows = [[name, duration(timings.median(name))] for name in subjects]
    command = "python -m benchmarks --only new-process"
    title = "A new process to its first answer (echo plugin, Python API)"
    yield Table(title, command, ["process", "median"], rows, notes)
    ratio = _ratio(timings, "purewasm", "wasmtime")
    goal = Goal("purewasm's time by wasmtime's", ratio, 0.6)
    yield Table("New process: goal", command, GOAL_COLUMNS, [goal.row()])


def second_process(effort: Effort) -> Iterator[Table]:
    """Measure `purewasm run` in a home directory without a cache, and once more in the same."""
    path = large_plugin()
    tool, text = sample_input(WasmPlugin.load(path))
    rounds: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(2 * effort.rounds + 1):
        with tempfile.TemporaryDirectory() as home:
            environment = {"HOME": home, "XDG_CACHE_HOME": home, "LOCALAPPDATA": home}
            for seconds in rounds.values():
                start = time.perf_counter()
                process("run_command.py", path, tool, text, environment=environment)
                seconds.append(time.perf_counter() - start)
    timings = Timings(rounds)
    command = "python -m benchmarks --only second-process"
    rows = [[f"the {name} process", duration(timings.median(name))] for name in rounds]
    notes = [f"purewasm run {path.name} {tool}, on {len(text)} characters."]
    yield Table("The command, twice", command, ["process", "median"], rows, notes)
    goal = Goal("the second process by the first", timings.ratio("second", "first"), 0.3)
    yield Table("The command, twice: goal", command, GOAL_COLUMNS, [goal.row()])


def calls(effort: Effort) -> Iterator[Table]:
    """Measure `execute_tool` of the echo plugin, on 11 bytes and on 1 MiB."""
    plugin = WasmPlugin.load(ECHO, engine=ENGINE)
    text = "x" * MIB

    def copied() -> str:
        return bytearray(text.encode()).decode()

    small: dict[str, Subject] = {
        "purewasm": repeating(lambda: plugin.execute_tool(0, "hello world"))
    }
    large: dict[str, Subject] = {
        "purewasm": repeating(lambda: plugin.execute_tool(0, text)),
        "encode, copy, decode": repeating(copied),
    }
    notes = []
    try:
        from benchmarks.wasmtime_host import WasmtimePlugin
    except ImportError:
        notes.append("wasmtime is left out: it is not installed.")
    else:
        native = WasmtimePlugin(ECHO)
        small["wasmtime"] = repeating(lambda: native.execute_tool(0, "hello world"))
        large["wasmtime"] = repeating(lambda: native.execute_tool(0, text))
    of_small, of_large = interleaved(small, effort), interleaved(large, effort)
    rows = [["11 bytes", name, duration(of_small.median(name))] for name in small]
    rows += [["1 MiB", name, duration(of_large.median(name))] for name in large]
    command = "python -m benchmarks --only calls"
    yield Table("A call of the echo tool", command, ["input", "by", "median"], rows, notes)
    goals = [
        Goal("11 bytes, by wasmtime's time", _ratio(of_small, "purewasm", "wasmtime"), 1 / 8),
        Goal(
            "1 MiB, by the time to encode, copy and decode it",
            _ratio(of_large, "purewasm", "encode, copy, decode"),
            3,
        ),
    ]
    yield Table("Calls: goals", command, GOAL_COLUMNS, [goal.row() for goal in goals])


def first_call(effort: Effort) -> Iterator[Table]:
    """Measure a load and one call against pywasm's decoding, with a cold and a warm cache."""
    path = large_plugin()
    data = path.read_bytes()
    load = functools.partial(WasmPlugin.load, path, engine=ENGINE)
    tool, text = sample_input(load())
    subjects: dict[str, Subject] = {
        "load, first call": repeating(lambda: load().execute_tool(tool, text)),
        "load alone": repeating(load),
    }
    notes = [f"{path.name}, {len(data):,} bytes; its tool {tool} on {len(text)} characters."]
    try:
        peers.pywasm_decode(data)
    except peers.Unavailable as reason:
        notes.append(f"pywasm is left out: {reason}.")
    else:
        subjects["pywasm's decoding"] = repeating(lambda: peers.pywasm_decode(data))
    with tempfile.TemporaryDirectory() as folder:
        if "cache_dir" in inspect.signature(WasmPlugin.load).parameters:
            cached = functools.partial(load, cache_dir=folder)
            subjects["load, first call, warm cache"] = repeating(
                lambda: cached().execute_tool(tool, text)
            )
        timings = interleaved(subjects, effort)
    rows = [[name, duration(timings.median(name))] for name in subjects]
    command = "python -m benchmarks --only first-call"
    title = "The first call of a tool, load included"
    yield Table(title, command, ["what", "median"], rows, notes)
    cold = _ratio(timings, "load, first call", "pywasm's decoding")
    kept = _ratio(timings, "load, first call, warm cache", "pywasm's decoding")
    goals = [
        Goal("cold, by the time of pywasm's decoding alone", cold, 1),
        Goal("with a warm cache, by the same", kept, 0.25),
    ]
    yield Table("First call: goals", command, GOAL_COLUMNS, [goal.row() for goal in goals])


def memory(effort: Effort) -> Iterator[Table]:
    """Measure the peak memory of a process that loads a plugin of at least 100 KB."""
    del effort
    path = large_plugin()
    bare = int(process("peak_memory.py"))
    rows = []
    peaks = {}
    for engine in ("translator", "pywasm"):
        try:
            answer = process("peak_memory.py", path, engine)
        except subprocess.CalledProcessError:
            continue
        peak, linear, resident = map(int, answer.split())
        peaks[engine] = peak / 1e6
        cells = (peak, linear, resident - bare)
        rows.append([engine, *(f"{cell / 1e6:.1f} MB" for cell in cells)])
    command = "python -m benchmarks --only memory"
    columns = ["engine", "Python's peak", "linear memory", "resident above bare"]
    notes = [
        f"{path.name}, {path.stat().st_size:,} bytes. Python's peak is tracemalloc's, the linear"
        " memory aside and the imports included; the resident size has tracemalloc's own in it."
    ]
    yield Table("Memory of a loaded plugin", command, columns, rows, notes)
    goal = Goal("peak over the bare interpreter", peaks.get("translator"), 10, unit="MB")
    yield Table("Memory: goal", command, GOAL_COLUMNS, [goal.row()])


def tools(effort: Effort) -> Iterator[Table]:
    """Measure every tool of the real plugins on both engines and on wasmtime."""
    from benchmarks.tool_speed import tool_table

    yield tool_table(plugin_paths(), effort)


def _ratio(timings: Timings, subject: str, to: str) -> float | None:
    return timings.ratio(subject, to) if subject in timings and to in timings else None
