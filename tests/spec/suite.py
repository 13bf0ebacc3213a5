"""Where the specification's test suite is, and what is in it.

The suite is not part of the repository. It is a zip of what wabt's `wast2json` makes of the
suite's `.wast` files: `NAME.json` with the commands of one, beside the modules they name.
"""

from __future__ import annotations

import functools
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHIVE = "wasm-2.0.zip"
_BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "spectest"


def location() -> Path:
    """Where the archive should be: in $PUREWASM_SPECTEST, or beside the repository."""
    given = os.environ.get("PUREWASM_SPECTEST")
    path = Path(given) if given else _BESIDE_THE_REPOSITORY
    return path if path.suffix == ".zip" else path / ARCHIVE


@functools.cache
def archive() -> zipfile.ZipFile | None:
    """The archive, or None where there is none."""
    path = location()
    return zipfile.ZipFile(path) if path.is_file() else None


@dataclass(frozen=True)
class Script:
    """One file of the suite.

    Attributes:
        name: of the `.wast` file it comes from.
        commands: as `wast2json` writes them, each with its type and its line in that file.
    """

    name: str
    commands: tuple[dict[str, Any], ...]

    def module(self, command: dict[str, Any]) -> bytes:
        """The bytes of the module that a command names."""
        return _opened().read(command["filename"])

    def where(self, command: dict[str, Any]) -> str:
        """The place of a command in the suite."""
        return f"{self.name}:{command['line']}"


def _opened() -> zipfile.ZipFile:
    opened = archive()
    if opened is None:
        raise FileNotFoundError(location())
    return opened


def names() -> list[str]:
    """The names of all scripts; none where the suite is not there."""
    opened = archive()
    if opened is None:
        return []
    found = (Path(name) for name in opened.namelist())
    return sorted(path.stem for path in found if path.suffix == ".json")


@functools.lru_cache(maxsize=4)
def script(name: str) -> Script:
    """The script of that name."""
    content = json.loads(_opened().read(f"{name}.json"))
    return Script(Path(content["source_filename"]).name, tuple(content["commands"]))
