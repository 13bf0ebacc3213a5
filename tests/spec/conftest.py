"""Collects how the suite's assertions went, and prints it as a table when the run is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from .runner import Report

_OUTCOMES = ("passed", "failed", "known", "skipped")
_PROPERTY = "assertions of the suite"


@pytest.fixture
def record_report(
    record_property: Callable[[str, object], None],
) -> Callable[[str, Report], None]:
    """Adds a report to the table at the end of the run.

    As a property of the test: pytest-xdist's processes send those with the test's outcome.
    """

    def record(part: str, report: Report) -> None:
        counts = [(kind, outcome, n) for (kind, outcome), n in report.counts.items()]
        record_property(_PROPERTY, (part, counts, [*report.worded.items()]))

    return record


def _reports(terminalreporter: pytest.TerminalReporter) -> dict[str, Report]:
    """What all tests recorded, by the part."""
    reports: dict[str, Report] = {}
    for outcome in ("passed", "failed"):
        for test in terminalreporter.stats.get(outcome, []):
            for name, value in test.user_properties if test.when == "call" else []:
                if name == _PROPERTY:
                    part, counts, worded = value
                    total = reports.setdefault(part, Report())
                    for kind, result, n in counts:
                        total.counts[kind, result] += n
                    for right, n in worded:
                        total.worded[right] += n
    return reports


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each type of assertion, of the modules and of each engine."""
    for part, report in sorted(_reports(terminalreporter).items()):
        terminalreporter.section(f"WebAssembly core 2.0 test suite: {part}")
        terminalreporter.write_line(f"{'':22}" + "".join(f"{name:>9}" for name in _OUTCOMES))
        totals: Counter[str] = Counter()
        for kind in sorted({kind for kind, _ in report.counts}):
            counts = [report.counts[kind, outcome] for outcome in _OUTCOMES]
            totals.update(dict(zip(_OUTCOMES, counts, strict=True)))
            terminalreporter.write_line(f"{kind:22}" + "".join(f"{n:9,}" for n in counts))
        cells = "".join(f"{totals[outcome]:9,}" for outcome in _OUTCOMES)
        terminalreporter.write_line(f"{'total':22}" + cells)
        if report.worded:
            right, all_ = report.worded[True], report.worded.total()
            terminalreporter.write_line(
                f"refused in the suite's wording: {right:,} of {all_:,} ({right / all_:.1%})"
            )
