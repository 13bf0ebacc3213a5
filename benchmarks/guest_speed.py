"""MicroPython and QuickJS on this package and on pwasm: their start, and ten snippets each."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator

from benchmarks import peers
from benchmarks.guests.both import GUESTS, Guest
from benchmarks.kernel_speed import extreme
from benchmarks.measure import Effort, Subject, geometric_mean, interleaved
from benchmarks.plugin_speed import process
from benchmarks.report import GOAL_COLUMNS, Goal, Table, duration, times
from purewasm_plugins import Module

COMMAND = "python -m benchmarks --only guests"
OURS, RIVAL = "purewasm", "pwasm"
COLUMNS = ["guest", OURS, RIVAL, "pwasm by purewasm"]

#: What a process of `guest_start.py` measures; the first is part of the goals.
STARTS = ("start", "start of a second one", "ten snippets, once each")


def guests(effort: Effort) -> Iterator[Table]:
    """Measure both guests on both hosts, with the default limits."""
    ratios: dict[str, float] = {}
    starts: list[list[str]] = []
    snippets: list[list[str]] = []
    notes = []
    try:
        for guest in GUESTS:
            for what, (ours, theirs) in _starts(guest, effort).items():
                label = f"{guest.name}, {what}"
                starts.append(
                    _row(label, ours, theirs, statistics.median(theirs) / statistics.median(ours))
                )
                if what == STARTS[0]:
                    ratios[label] = statistics.median(theirs) / statistics.median(ours)
            for snippet, subjects in _snippets(guest).items():
                # A run is one unit: more rounds instead of more units.
                measured = interleaved(subjects, Effort(2 * effort.rounds + 1, 0.0))
                label = f"{guest.name}, {snippet}"
                ratios[label] = measured.ratio(RIVAL, OURS)
                snippets.append(
                    _row(label, measured.rounds[OURS], measured.rounds[RIVAL], ratios[label])
                )
    except peers.Unavailable as reason:
        notes.append(f"{reason}.")
    else:
        notes.append(f"The guests are those of pwasm {peers.version('pwasm')}.")
    mean = geometric_mean(ratios.values()) if ratios else None
    snippets.append(["geometric mean, with the starts", "", "", times(mean)])
    yield Table("Guests: start, in a new process without a cache", COMMAND, COLUMNS, starts, notes)
    yield Table("Guests: snippets, once they are translated", COMMAND, COLUMNS, snippets)
    worst, least = extreme(ratios, min)
    goals = [
        Goal("times as fast as pwasm, geometric mean", mean, 1.5, at_least=True),
        Goal(f"times as fast as pwasm, worst{worst}", least, 1.0, at_least=True),
    ]
    yield Table("Guests: goals", COMMAND, GOAL_COLUMNS, [goal.row() for goal in goals])


def _row(label: str, ours: list[float], theirs: list[float], ratio: float) -> list[str]:
    cells = [duration(statistics.median(seconds)) for seconds in (ours, theirs)]
    return [label, *cells, times(ratio)]


def _starts(guest: Guest, effort: Effort) -> dict[str, tuple[list[float], list[float]]]:
    """Return what processes of both hosts take, in turns, without a cache and with one."""
    found: dict[str, tuple[list[float], list[float]]] = {}

    def measure(environment: dict[str, str], names: tuple[str, ...]) -> None:
        for host in (OURS, RIVAL):
            output = process(
                "guest_start.py",
                *(host, guest.name, guest.module_path()),
                input=json.dumps(list(guest.snippets.values())),
                environment=environment,
            )
            for name, seconds in zip(names, map(float, output.split()), strict=False):
                found.setdefault(name, ([], []))[host == RIVAL].append(seconds)

    for _ in range(max(effort.rounds // 2 + 1, 2)):
        measure({"PUREWASM_CACHE": "", "PWASM_CACHE_DIR": ""}, STARTS)
    with tempfile.TemporaryDirectory() as folder:
        caches = {"PUREWASM_CACHE": folder + "/ours", "PWASM_CACHE_DIR": folder + "/theirs"}
        measure(caches, ())
        for _ in range(max(effort.rounds // 2 + 1, 2)):
            measure(caches, ("start with a warm cache",))
    return found


def _snippets(guest: Guest) -> dict[str, dict[str, Subject]]:
    """Return the subjects of each snippet, after two runs of it on each host."""
    runs = {OURS: guest.purewasm(Module.compile(guest.module_path())), RIVAL: guest.pwasm()}
    subjects: dict[str, dict[str, Subject]] = {}
    for name, source in guest.snippets.items():
        for run in runs.values():
            run(source)
            run(source)
        subjects[name] = {
            host: lambda units, run=run, source=source: [run(source) for _ in range(units)]  # type: ignore[misc]
            for host, run in runs.items()
        }
    return subjects
