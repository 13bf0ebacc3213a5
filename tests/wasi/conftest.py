"""The fixture of the tests that try to leave a directory of the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wasi.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A granted directory and what is outside of it, which must be the same afterwards."""
    made = World(tmp_path)
    yield made
    made.check()
