"""The stand-in for wasmtime beside the real one: small calls, and packages that need wasmtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.call_speed import MODULE, repeated
from benchmarks.measure import Effort, Subject, Timings, interleaved
from benchmarks.plugin_speed import ROOT, process
from benchmarks.processes.package_answers import PACKAGES
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration, times
from purewasm_plugins import assemble

COMMAND = "python -m benchmarks --only stand-in"
PROGRAMS = ROOT / "tests" / "programs"
FOLDER = PROGRAMS / "build" / "stand_in"
POLICY = PROGRAMS / "policy.wat"

SMALL = "call of a small export"
OURS, WARM, REAL = "stand-in", "cache warm", "wasmtime"


def stand_in(effort: Effort) -> Iterator[Table]:
    """Measure calls through the interface, then first and tenth answers of packages."""
    notes = []
    ratio = None
    try:
        real = peers.module_named("wasmtime")
    except peers.Unavailable as reason:
        notes.append(f"Nothing is compared: {reason}.")
    else:
        calls, ratio = _calls(effort, real)
        yield calls
        if FOLDER.is_dir():
            yield _packages(effort)
        else:
            notes.append("The packages are left out: run `sh tests/programs/setup.sh` first.")
    goal = Goal(f"{SMALL}, by wasmtime's time", ratio, 0.5)
    yield Table("The stand-in: goal", COMMAND, GOAL_COLUMNS, [goal.row()], notes)


def subjects(wasmtime: Any) -> dict[str, Subject]:
    """Make the subjects of an implementation of the interface; each does that many calls."""
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(MODULE))
    i32 = wasmtime.ValType.i32()
    type_ = wasmtime.FuncType([i32], [i32])

    def back(caller: Any, x: int) -> Any:
        return caller["next"](caller, x)

    imports = [
        wasmtime.Func(store, type_, lambda x: x),
        wasmtime.Func(store, type_, back, access_caller=True),
    ]
    exports = wasmtime.Instance(store, module, imports).exports(store)
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    next_ = exports["next"]
    pointer = memory.data_ptr(store)

    def write(x: int) -> int:
        memory.write(store, b"hello world", x)
        return x

    def read(x: int) -> int:
        memory.read(store, x, x + 11)
        return x

    def byte(x: int) -> int:
        pointer[x] = 7
        return x

    return {
        SMALL: repeated(lambda x: next_(store, x)),
        "call of a host function": lambda units: exports["call_out"](store, units),
        "host call that calls back": lambda units: exports["call_back"](store, units),
        "an export by its name": repeated(lambda x: exports["next"] and x),
        "write of 11 bytes": repeated(write),
        "read of 11 bytes": repeated(read),
        "a byte through data_ptr": repeated(byte),
    }


def _calls(effort: Effort, real: Any) -> tuple[Table, float]:
    """Return the table, and the ratio of a call of a small export."""
    import purewasm_plugins.wasmtime as ours

    own, native = subjects(ours), subjects(real)
    rows, ratios = [], {}
    for what, subject in own.items():
        timings = interleaved({OURS: subject, REAL: native[what]}, effort)
        ratios[what] = timings.ratio(OURS, REAL)
        medians = [duration(timings.median(name)) for name in (OURS, REAL)]
        rows.append([what, *medians, times(ratios[what])])
    columns = ["what", OURS, REAL, "by wasmtime's"]
    return Table("Calls through wasmtime's interface", COMMAND, columns, rows), ratios[SMALL]


def _packages(effort: Effort) -> Table:
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        policy = Path(directory) / "policy.wasm"
        policy.write_bytes(assemble(POLICY.read_text("utf-8")))
        plain = {"POLICY": str(policy)}
        warm = {**plain, "PUREWASM_CACHE": str(Path(directory) / "cache")}
        environments = {OURS: plain, WARM: warm, REAL: plain}
        for package in PACKAGES:
            _answers(package, WARM, environments[WARM])
            rounds: dict[str, dict[str, list[float]]] = {
                answer: {library: [] for library in environments} for answer in ("first", "tenth")
            }
            for _ in range(effort.rounds):
                for library, environment in environments.items():
                    seconds = _answers(package, library, environment)
                    for answer, taken in zip(rounds, seconds, strict=True):
                        rounds[answer][library].append(taken)
            for answer, by_library in rounds.items():
                timings = Timings(by_library)
                medians = [duration(timings.median(name)) for name in environments]
                ratios = [times(timings.ratio(name, REAL)) for name in (OURS, WARM)]
                rows.append([f"{package}, {answer}", *medians, *ratios])
    columns = ["answer", *environments, "by wasmtime's", "warm, by wasmtime's"]
    return Table("Packages that need wasmtime, in a new process", COMMAND, columns, rows)


def _answers(package: str, library: str, environment: dict[str, str]) -> list[float]:
    """Return the seconds of the first answer, with the import, and of the tenth alone."""
    given = (FOLDER, package, REAL if library == REAL else OURS)
    return [
        float(seconds)
        for seconds in process("package_answers.py", *given, environment=environment).split()
    ]
