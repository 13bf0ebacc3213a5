"""The specification's own test suite, on the decoder and validator and on every engine.

One test for each file of the suite; its failing assertions are listed with their lines. What an
engine is known to fail stands in `known_failures_ENGINE.txt`, each with its cause; an entry that
does not fail any more fails the run, so that the list stays true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import runner, suite

Record = Callable[[str, runner.Report], None]

#: The least share of refusals in the words of the suite.
WORDED = 0.98

NAMES: list[Any] = suite.names() or [
    pytest.param("", marks=pytest.mark.skip(reason=f"no test suite at {suite.location()}"))
]


def known_failures(engine: str) -> dict[str, str]:
    """The assertions that an engine is known to fail: "file:line" to the cause."""
    path = Path(__file__).with_name(f"known_failures_{engine}.txt")
    lines = path.read_text().splitlines() if path.exists() else []
    entries = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return {where: cause for where, _, cause in entries}


@pytest.mark.parametrize("name", NAMES)
def test_modules(name: str, record_report: Record) -> None:
    report = runner.check_modules(name)
    record_report("modules", report)
    assert not report.failures, _listed(report)


@pytest.mark.parametrize("name", NAMES)
def test_execution(name: str, engine: str, record_report: Record) -> None:
    report = runner.check_execution(name, engine, known_failures(engine))
    record_report(engine, report)
    assert not report.failures, _listed(report)


@pytest.mark.skipif(not suite.names(), reason=f"no test suite at {suite.location()}")
def test_wording() -> None:
    worded: Counter[bool] = Counter()
    misworded = []
    for name in suite.names():
        report = runner.check_modules(name)
        worded += report.worded
        misworded += report.misworded
    share = worded[True] / worded.total()
    assert share >= WORDED, "\n".join(misworded)


def _listed(report: runner.Report) -> str:
    lines = [f"{where}: {failure}" for where, failure in report.failures.items()]
    return "\n".join([f"{len(lines)} assertions failed:", *lines])
