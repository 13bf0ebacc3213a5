"""The suite's own `.wast` files, its state at 3.0, run as they are.

Every command is carried out; one that needs more than core 2.0 may fail. The scripts of vectors are
left out: `test_suite` has their assertions, and running them again takes as long as the others.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.wasm.text.lexer import END, tokenize
from purewasm_plugins.wasm.text.script import read_script
from purewasm_plugins.wast import run_script

from . import suite
from .later_editions import Needs

TEXTS = suite.location().with_name("wast-3.0.zip")


def files() -> dict[str, str]:
    """The names of the scripts, with their paths in the archive."""
    if not TEXTS.is_file():
        return {}
    with zipfile.ZipFile(TEXTS) as texts:
        return {Path(name).stem: name for name in texts.namelist() if name.endswith(".wast")}


NAMES: list[Any] = [
    name for name in sorted(files()) if not name.startswith("simd_") or "memory-multi" in name
] or [pytest.param("", marks=pytest.mark.skip(reason=f"no test suite at {TEXTS}"))]


def read(name: str) -> str:
    """The text of a script."""
    with zipfile.ZipFile(TEXTS) as texts:
        return texts.read(files()[name]).decode()


def commands(text: str) -> Iterator[str]:
    """The tokens of each command, with one space between them."""
    tokens = tokenize(text)
    at = 0
    while tokens.texts[at] is not END:
        end = tokens.closing[at] + 1
        yield " ".join(tokens.texts[at:end])
        at = end


def later(text: str) -> list[str | None]:
    """The feature of a later edition that each command needs."""
    needs = Needs()
    return [
        needs.feature(command, tokens)
        for command, tokens in zip(read_script(text), commands(text), strict=True)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_scripts(name: str) -> None:
    text = read(name)
    outcomes = [*run_script(text)]
    assert outcomes
    faults = [outcome.fault for outcome in outcomes]
    features = later(text) if any(faults) else [None] * len(faults)
    unexplained = [
        f"{name}.wast:{outcome.line}: {outcome.kind}: {outcome.fault or f'needs no {feature}'}"
        for outcome, feature in zip(outcomes, features, strict=True)
        # An assertion may hold in spite of what it needs.
        if (outcome.fault and not feature)
        or (feature and not outcome.fault and outcome.kind == "module")
    ]
    assert not unexplained
