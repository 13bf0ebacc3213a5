"""The measurement and the report of the benchmarks, with figures that no machine influences."""

from __future__ import annotations

import pytest

from benchmarks.measure import Effort, Timings, interleaved
from benchmarks.report import (
    GOAL_COLUMNS,
    Goal,
    Table,
    all_goals,
    duration,
    markdown,
    plain,
    updated,
)


class Clock:
    """A clock that advances only when a subject advances it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_subjects_take_turns_with_as_many_units_as_fit() -> None:
    clock = Clock()
    turns: list[tuple[str, int]] = []

    def slow(units: int) -> None:
        turns.append(("slow", units))
        clock.now += 2.0 * units

    def fast(units: int) -> None:
        turns.append(("fast", units))
        clock.now += 0.01 * units

    timings = interleaved({"slow": slow, "fast": fast}, Effort(3, 1.0), clock=clock)
    assert turns[-6:] == [("slow", 1), ("fast", 100)] * 3
    assert timings.median("slow") == pytest.approx(2.0)
    assert timings.ratio("slow", "fast") == pytest.approx(200.0)


def test_a_ratio_is_taken_within_rounds() -> None:
    timings = Timings({"a": [1.0, 30.0, 3.0], "b": [1.0, 10.0, 1.0]})
    assert timings.ratio("a", "b") == 3.0
    assert "c" not in timings


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal("speed", 200, 150, at_least=True), "reached"),
        (Goal("speed", 149, 150, at_least=True), "not reached"),
        (Goal("time", 1.4, 1.5), "reached"),
        (Goal("time", 1.6, 1.5), "not reached"),
        (Goal("time", None, 1.5), "not available"),
    ],
)
def test_goals(goal: Goal, verdict: str) -> None:
    assert goal.row()[-1] == verdict


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (4.53e-6, "4.53 µs"), (9e-8, "90.0 ns")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_table_says_what_gives_it() -> None:
    table = Table("Title", "python -m benchmarks --only x", ["a", "b"], [["one", "2"]], ["Note."])
    assert plain(table).splitlines() == [
        *("Title", "", "a    b", "---  -", "one  2", "Note.", "$ python -m benchmarks --only x")
    ]
    assert markdown([table]).splitlines() == [
        *("**Title** (`python -m benchmarks --only x`)", "", "| a | b |", "|---|---:|"),
        *("| one | 2 |", "", "Note.  "),
    ]


def test_a_document_gets_the_tables_that_were_measured() -> None:
    document = (
        "Before.\n<!-- benchmarks: Speed -->\nold\n<!-- end -->\nBetween.\n"
        "<!-- benchmarks: Size -->\nkept\n<!-- end -->\nAfter.\n"
    )
    table = Table("Speed", "python -m benchmarks --only x", ["a", "b"], [["one", "2"]], ["Note."])
    assert updated(document, [table]).splitlines() == [
        *("Before.", "<!-- benchmarks: Speed -->", "", "| a | b |", "|---|---:|", "| one | 2 |"),
        *("", "<!-- end -->", "Between.", "<!-- benchmarks: Size -->", "kept", "<!-- end -->"),
        "After.",
    ]


def test_all_goals_have_their_commands() -> None:
    goals = [Goal("speed", 2.0, 1.0, at_least=True), Goal("time", None, 1.0)]
    command = "python -m benchmarks --only x"
    tables = [
        Table("Speed", command, ["a", "b"], [["one", "2"]]),
        Table("Goals", command, GOAL_COLUMNS, [goal.row() for goal in goals]),
    ]
    assert all_goals(tables).rows == [[*goal.row(), "`--only x`"] for goal in goals]
