"""The programs: where the set-up puts them, and a skip where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing

HERE = Path(__file__).parent
SETUP = "sh tests/programs/setup.sh"

#: Where npm and pip put packages.
FOLDERS = (HERE / "node_modules", HERE / "build" / "packages")


@pytest.fixture(scope="session")
def program() -> Callable[[str], bytes]:
    """`program(path)`: the bytes of a module, by its path inside npm's or pip's packages."""

    def program(path: str) -> bytes:
        for folder in FOLDERS:
            if (folder / path).is_file():
                return (folder / path).read_bytes()
        return missing(f"there is no {path}", SETUP)

    return program
