"""The suite's own `.wast` files, its state at 3.0, run as they are.

Files that need more than core 2.0 are listed in `later_editions.txt`. Those of vectors are left
out: `test_suite` has their assertions, and running them again takes as long as the others.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.wast import run_script

from . import suite

TEXTS = suite.location().with_name("wast-3.0.zip")

LATER = {
    name
    for line in Path(__file__).with_name("later_editions.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for name in line.split()
}


def files() -> dict[str, str]:
    """The names of the scripts, with their paths in the archive."""
    if not TEXTS.is_file():
        return {}
    with zipfile.ZipFile(TEXTS) as texts:
        return {Path(name).stem: name for name in texts.namelist() if name.endswith(".wast")}


NAMES: list[Any] = [
    name for name in sorted(files()) if name not in LATER and not name.startswith("simd_")
] or [pytest.param("", marks=pytest.mark.skip(reason=f"no test suite at {TEXTS}"))]


@pytest.mark.parametrize("name", NAMES)
def test_scripts(name: str) -> None:
    with zipfile.ZipFile(TEXTS) as texts:
        text = texts.read(files()[name]).decode()
    outcomes = [*run_script(text)]
    assert outcomes
    assert not [
        f"{name}.wast:{outcome.line}: {outcome.kind}: {outcome.fault}"
        for outcome in outcomes
        if outcome.fault is not None
    ]


@pytest.mark.skipif(not files(), reason=f"no test suite at {TEXTS}")
def test_the_list_names_scripts_that_exist() -> None:
    assert {*files()} >= LATER
