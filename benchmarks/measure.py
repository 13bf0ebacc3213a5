"""Interleaved timing of several subjects: medians over the rounds.

A machine that slows down for a second slows all subjects of a round down, and the ratio within a
round stays what it is.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

#: A function that does a number of units of work.
Subject = Callable[[int], object]

Clock = Callable[[], float]


@dataclass(frozen=True)
class Effort:
    """The length of a measurement: rounds, and seconds per subject in each round."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Timings:
    """Seconds per unit of work, by subject, one for each round."""

    rounds: Mapping[str, list[float]]

    def __contains__(self, subject: str) -> bool:
        return subject in self.rounds

    def median(self, subject: str) -> float:
        return statistics.median(self.rounds[subject])

    def ratio(self, subject: str, to: str) -> float:
        """Return the ratio of a subject's time to that of `to`: the median over the rounds."""
        pairs = zip(self.rounds[subject], self.rounds[to], strict=True)
        return statistics.median(one / other for one, other in pairs)


def interleaved(
    subjects: Mapping[str, Subject], effort: Effort, *, clock: Clock = time.process_time
) -> Timings:
    """Time subjects in turns. The units of a turn are chosen to take the given time.

    Args:
        clock: the processor's time, which other processes do not add to, unless a subject's work
            is done elsewhere.
    """
    units = {name: _units(subject, effort.seconds, clock) for name, subject in subjects.items()}
    rounds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(effort.rounds):
        for name, subject in subjects.items():
            rounds[name].append(_seconds(subject, units[name], clock) / units[name])
    return Timings(rounds)


def repeating(call: Callable[[], object]) -> Subject:
    """Make a subject whose unit of work is a call."""

    def subject(units: int) -> None:
        for _ in range(units):
            call()

    return subject


def geometric_mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(values)


def _seconds(subject: Subject, units: int, clock: Clock) -> float:
    gc.collect()
    gc.disable()
    try:
        start = clock()
        subject(units)
        return clock() - start
    finally:
        gc.enable()


def _units(subject: Subject, seconds: float, clock: Clock) -> int:
    """Return the number of units that take about a time; the first call is a warm-up."""
    subject(1)
    units = 1
    while (taken := _seconds(subject, units, clock)) < seconds / 2:
        units = math.ceil(units * min(100.0, seconds / max(taken, 1e-7)))
    return max(1, round(units * seconds / taken))
