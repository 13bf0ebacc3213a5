"""WASI: a whole program in a new process, and single calls."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks import peers
from benchmarks.measure import Effort, Subject, Timings, interleaved, repeating
from benchmarks.plugin_speed import ROOT, process
from benchmarks.report import Table, duration, times
from purewasm_plugins import Quotas, Wasi, instantiate

COMMAND = "python -m benchmarks --only wasi"
PROGRAM = ROOT / "fixtures" / "programs" / "hello_rust.wasm"
MODULE = Path(__file__).parent / "wasi_calls.wasm"

PIECE = 4096
PIECES = 256


def wasi(effort: Effort) -> Iterator[Table]:
    """Measure a program of Rust's standard library, `fd_write` and `clock_time_get`."""
    yield _programs(effort)
    with tempfile.TemporaryFile(buffering=0) as file:
        yield _calls(effort, file)


def _programs(effort: Effort) -> Table:
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_CACHE_HOME": home, "LOCALAPPDATA": home}

        def run(script: str, *arguments: object) -> Callable[[], object]:
            return lambda: process(script, *arguments, environment=environment)

        subjects: dict[str, Subject] = {
            "purewasm exec, cache warm": repeating(run("exec_program.py", PROGRAM)),
            "purewasm exec, no cache": repeating(run("exec_program.py", "--no-cache", PROGRAM)),
        }
        notes = [f"{PROGRAM.name}: `println!`, {PROGRAM.stat().st_size} bytes."]
        try:
            peers.module_named("wasmtime")
        except peers.Unavailable as reason:
            notes.append(f"wasmtime is left out: {reason}.")
        else:
            subjects["wasmtime"] = repeating(run("exec_program_wasmtime.py", PROGRAM))
        timings = interleaved(subjects, Effort(2 * effort.rounds + 1, 0.0), clock=time.perf_counter)
    rows = [[name, duration(timings.median(name)), _by(timings, name)] for name in subjects]
    columns = ["process", "median", "by wasmtime's"]
    return Table("A program in a new process, to its exit status", COMMAND, columns, rows, notes)


def _by(timings: Timings, name: str, other: str = "wasmtime") -> str:
    return times(timings.ratio(name, other) if other in timings else None)


def _calls(effort: Effort, file: BinaryIO) -> Table:
    data = bytes(PIECE)

    def beginning(write: Subject) -> Subject:
        """Have each unit write at the beginning of the file."""

        def subject(units: int) -> None:
            for _ in range(units):
                os.lseek(file.fileno(), 0, os.SEEK_SET)
                write(PIECES)

        return subject

    def written(times: int) -> None:
        for _ in range(times):
            file.write(data)

    def read(times: int) -> None:
        for _ in range(times):
            time.monotonic_ns()

    writes: dict[str, Subject] = {"Python": beginning(written)}
    reads: dict[str, Subject] = {"Python": read}
    quotas = Quotas(output_bytes=None)
    grants = Wasi(stdout=file, clock="host", quotas=quotas)
    exports = instantiate(MODULE.read_bytes(), wasi=grants).exports
    writes["purewasm"] = beginning(exports.function("write"))
    reads["purewasm"] = exports.function("clock")
    notes = ["wasmtime writes to the null device: it takes no open file."]
    try:
        native = _wasmtime()
    except peers.Unavailable as reason:
        notes = [f"wasmtime is left out: {reason}."]
    else:
        writes["wasmtime"] = lambda units: native("write", units * PIECES)
        reads["wasmtime"] = lambda units: native("clock", units)
    rows = []
    for what, subjects in (("fd_write of 1 MiB, 4 KiB each", writes), ("clock_time_get", reads)):
        timings = interleaved(subjects, effort)
        rows += [
            [what, name, duration(timings.median(name)), _by(timings, name, "Python")]
            for name in subjects
        ]
    return Table("Calls of WASI", COMMAND, ["what", "by", "median", "by Python's"], rows, notes)


def _wasmtime() -> Callable[[str, int], Any]:
    """Return what calls an export of the module on wasmtime."""
    wasmtime = peers.module_named("wasmtime")
    store = wasmtime.Store()
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    config = wasmtime.WasiConfig()
    config.stdout_file = os.devnull
    store.set_wasi(config)
    module = wasmtime.Module.from_file(store.engine, str(MODULE))
    exports = linker.instantiate(store, module).exports(store)
    return lambda name, units: exports[name](store, units)
