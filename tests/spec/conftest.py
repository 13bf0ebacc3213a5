"""Collects how the suite's assertions went, and prints it as a table when the run is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from .runner import Report

_OUTCOMES = ("passed", "failed", "known", "skipped")
_reports = pytest.StashKey[dict[str, Report]]()


@pytest.fixture
def record_report(request: pytest.FixtureRequest) -> Callable[[str, Report], None]:
    """Adds a report to the table at the end of the run."""

    def record(part: str, report: Report) -> None:
        reports = request.config.stash.setdefault(_reports, {})
        total = reports.setdefault(part, Report())
        total.counts += report.counts
        total.worded += report.worded

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each type of assertion, of the modules and of each engine."""
    for part, report in terminalreporter.config.stash.get(_reports, {}).items():
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
