"""The kernels on every peer, and the cost of metering."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.kernels.handwritten import KERNELS
from benchmarks.measure import Effort, Subject, Timings, geometric_mean, interleaved
from benchmarks.report import GOAL_COLUMNS, NOTHING, TIMES, Goal, Table, duration, times

COMMAND = "python -m benchmarks --only kernels"
OURS = "translator"
RIVAL = "pwasm"
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
    columns = ["kernel", OURS, RIVAL, *SLOWER, *BY_HAND, *FASTER]
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


def _mean(values: dict[str, float]) -> float | None:
    return geometric_mean(values.values()) if values else None


def extreme(values: dict[str, float], which: Callable[..., str]) -> tuple[str, float | None]:
    """Return the least or the greatest value, and the name of its key for a goal's text."""
    if not values:
        return "", None
    key = which(values, key=lambda key: values[key])
    return f" ({key})", values[key]


def goal_table(timings: dict[str, Timings]) -> Table:
    by_pywasm = ratios(timings, "pywasm", OURS)
    by_ppci = ratios(timings, "ppci", OURS)
    of_python, with_lists = (ratios(timings, OURS, python) for python in BY_HAND)

    slowest, least = extreme(by_pywasm, min)
    worst, most = extreme(of_python, max)
    goals = [
        Goal("times as fast as pywasm, geometric mean", _mean(by_pywasm), 150, at_least=True),
        Goal(f"times as fast as pywasm, worst kernel{slowest}", least, 60, at_least=True),
        Goal("times as fast as ppci's Python, geometric mean", _mean(by_ppci), 20, at_least=True),
        Goal("time of hand-written Python, geometric mean", _mean(of_python), 1.4),
        Goal(f"time of hand-written Python, worst kernel{worst}", most, 1.5),
        Goal("time of hand-written Python with lists, geometric mean", _mean(with_lists), 1.5),
    ]
    rows = [goal.row() for goal in goals]
    return Table("Kernels: goals", COMMAND, GOAL_COLUMNS, rows)


def rival(effort: Effort) -> Iterator[Table]:
    """Measure the kernels on the translator and on pwasm, both with limits."""
    # The difference is small: more rounds than where it is large.
    often = Effort(3 * effort.rounds, effort.seconds)
    command = "python -m benchmarks --only rival"
    rows, found, notes = [], {}, []
    try:
        for kernel in KERNELS:
            subjects = {OURS: peers.translator(kernel), RIVAL: peers.pwasm(kernel)}
            measured = interleaved(subjects, often)
            found[kernel] = measured.ratio(RIVAL, OURS)
            cells = [duration(measured.median(name)) for name in subjects]
            rows.append([kernel, *cells, times(found[kernel])])
    except peers.Unavailable as reason:
        notes.append(f"{reason}.")
    rows.append(["geometric mean", "", "", times(_mean(found))])
    title = "Kernels: the translator and pwasm, both with limits"
    yield Table(title, command, ["kernel", OURS, RIVAL, "ratio"], rows, notes)
    slowest, least = extreme(found, min)
    goals = [
        Goal("times as fast as pwasm, geometric mean", _mean(found), 1.35, at_least=True),
        Goal(f"times as fast as pwasm, worst kernel{slowest}", least, 1.0, at_least=True),
    ]
    yield Table("Rival: goals", command, GOAL_COLUMNS, [goal.row() for goal in goals])


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
