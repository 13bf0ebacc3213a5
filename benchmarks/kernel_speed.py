"""The kernels on every peer, and the cost of metering."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import peers
from benchmarks.kernels.handwritten import KERNELS
from benchmarks.measure import Effort, Subject, Timings, geometric_mean, interleaved
from benchmarks.report import GOAL_COLUMNS, NOTHING, TIMES, Goal, Table, duration, times

COMMAND = "python -m benchmarks --only kernels"
OURS = "translator"
SLOWER = ("pywasm", "pywasm engine", "ppci")
BY_HAND = ("hand-written", "with lists")
FASTER = ("wasm3", "wasmtime")


def measured(effort: Effort) -> tuple[dict[str, Timings], list[str]]:
    """Return the timings of each kernel by peer, and the reasons of missing timings."""
    timings = {}
    reasons: dict[str, list[str]] = {}
    for kernel in KERNELS:
        subjects: dict[str, Subject] = {}
        for name, make in peers.PEERS.items():
            try:
                subjects[name] = make(kernel)
            except peers.Unavailable as reason:
                reasons.setdefault(f"{name} is left out: {reason}.", []).append(kernel)
        timings[kernel] = interleaved(subjects, effort)
    notes = [
        reason if len(kernels) == len(KERNELS) else f"{', '.join(kernels)}: {reason}"
        for reason, kernels in reasons.items()
    ]
    return timings, notes


def ratios(timings: dict[str, Timings], peer: str, to: str) -> dict[str, float]:
    """Return for each kernel the ratio of a peer's time to that of `to`, where both run it."""
    return {
        kernel: measured.ratio(peer, to)
        for kernel, measured in timings.items()
        if peer in measured and to in measured
    }


def kernel_table(timings: dict[str, Timings], notes: list[str]) -> Table:
    """Make the table of the times of a unit, and of the ratios to the translator."""
    columns = ["kernel", OURS, *SLOWER, *BY_HAND, *FASTER]
    rows = []
    for kernel, measured in timings.items():
        row = [kernel, duration(measured.median(OURS)) if OURS in measured else NOTHING]
        for peer in columns[2:]:
            both = OURS in measured and peer in measured
            row.append(times(measured.ratio(peer, OURS)) if both else NOTHING)
        rows.append(row)
    means = ["geometric mean", ""]
    for peer in columns[2:]:
        values = ratios(timings, peer, OURS).values()
        means.append(times(geometric_mean(values) if values else None))
    notes = [
        "The translator's time for a unit of work; the other peers' as multiples of it: the"
        " larger, the slower.",
        "Hand-written Python keeps in a bytearray what the kernel keeps in memory; the column after"
        " it keeps words in lists instead.",
        *notes,
    ]
    title = "Kernels: the translator, and its peers in multiples of its time"
    seconds = {
        kernel: {peer: measured.median(peer) for peer in measured.rounds}
        for kernel, measured in timings.items()
    }
    return Table(title, COMMAND, columns, [*rows, means], notes, seconds)


def goal_table(timings: dict[str, Timings]) -> Table:
    by_pywasm = ratios(timings, "pywasm", OURS)
    by_ppci = ratios(timings, "ppci", OURS)
    of_python, with_lists = (ratios(timings, OURS, python) for python in BY_HAND)

    def mean(values: dict[str, float]) -> float | None:
        return geometric_mean(values.values()) if values else None

    def extreme(values: dict[str, float], key: str) -> tuple[str, float | None]:
        if not values:
            return "", None
        kernel = (min if key == "min" else max)(values, key=lambda kernel: values[kernel])
        return f" ({kernel})", values[kernel]

    slowest, least = extreme(by_pywasm, "min")
    worst, most = extreme(of_python, "max")
    goals = [
        Goal("times as fast as pywasm, geometric mean", mean(by_pywasm), 150, at_least=True),
        Goal(f"times as fast as pywasm, worst kernel{slowest}", least, 60, at_least=True),
        Goal("times as fast as ppci's Python, geometric mean", mean(by_ppci), 20, at_least=True),
        Goal("time of hand-written Python, geometric mean", mean(of_python), 1.5),
        Goal(f"time of hand-written Python, worst kernel{worst}", most, 1.5),
        Goal("time of hand-written Python with lists, geometric mean", mean(with_lists), 1.5),
    ]
    rows = [goal.row() for goal in goals]
    return Table("Kernels: goals", COMMAND, GOAL_COLUMNS, rows)


def metering_table(effort: Effort) -> Table:
    """Measure the default limits against no limits."""
    # The difference is small: more and shorter rounds than where it is large.
    often = Effort(5 * effort.rounds, effort.seconds / 3)
    rows = []
    values = []
    try:
        for kernel in KERNELS:
            subjects = {
                "metered": peers.engine(OURS, kernel),
                "free": peers.engine(OURS, kernel, peers.UNLIMITED),
            }
            measured = interleaved(subjects, often)
            values.append(measured.ratio("metered", "free"))
            free, metered = measured.median("free"), measured.median("metered")
            rows.append([kernel, duration(free), duration(metered), f"{values[-1]:.3f} {TIMES}"])
    except peers.Unavailable as reason:
        notes = [f"{OURS} is left out: {reason}."]
    else:
        mean = geometric_mean(values)
        goal = Goal("time with limits, geometric mean", mean, 1.05)
        rows.append(["geometric mean", "", "", f"{mean:.3f} {TIMES}"])
        notes = [f"Bound: {goal.bound} in the mean; {goal.row()[-1]}."]
    title = "Metering: fuel, deadline and call depth, against none of them"
    columns = ["kernel", "without", "with", "ratio"]
    return Table(title, "python -m benchmarks --only metering", columns, rows, notes)


def kernels(effort: Effort) -> Iterator[Table]:
    timings, notes = measured(effort)
    yield kernel_table(timings, notes)
    yield goal_table(timings)


def metering(effort: Effort) -> Iterator[Table]:
    yield metering_table(effort)
