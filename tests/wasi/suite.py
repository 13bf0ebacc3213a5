"""Where the official test suite of WASI preview 1 is, and what is in it.

The suite is not part of the repository. It is a zip of the programs of WebAssembly/wasi-testsuite:
`NAME.wasm`, and beside it `NAME.json` where a program needs arguments or files.
"""

from __future__ import annotations

import functools
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from purewasm_plugins import Module

ARCHIVE = "wasip1.zip"
_BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "wasi"


def location() -> Path:
    """Where the archive should be: in $PUREWASM_WASITEST, or beside the repository."""
    given = os.environ.get("PUREWASM_WASITEST")
    path = Path(given) if given else _BESIDE_THE_REPOSITORY
    return path if path.suffix == ".zip" else path / ARCHIVE


@functools.cache
def archive() -> zipfile.ZipFile | None:
    """The archive, or None where there is none."""
    path = location()
    return zipfile.ZipFile(path) if path.is_file() else None


def _opened() -> zipfile.ZipFile:
    opened = archive()
    if opened is None:
        raise FileNotFoundError(location())
    return opened


@dataclass(frozen=True)
class Program:
    """One program of the suite.

    Attributes:
        name: of its file.
        args: its arguments, without its name.
        env: its environment.
        root: the files and directories of what it gets as "/"; None where it gets nothing.
        exit_code: what it must exit with.
        stdout: what it must write; None for anything.
    """

    name: str
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    root: dict[str, bytes] | None = None
    exit_code: int = 0
    stdout: str | None = None


def _paths() -> dict[str, PurePosixPath]:
    """The path of each program in the archive, by its name."""
    opened = archive()
    if opened is None:
        return {}
    found = (PurePosixPath(name) for name in opened.namelist())
    return {path.stem: path for path in found if path.suffix == ".wasm"}


def names() -> list[str]:
    """The names of all programs; none where the suite is not there."""
    return sorted(_paths())


@functools.lru_cache(maxsize=4)
def module(name: str) -> Module:
    """The module of a program. Tests of one program follow each other, and share its code."""
    return Module.compile(_opened().read(str(_paths()[name])))


def program(name: str) -> Program:
    """The program of a name."""
    path = _paths()[name]
    described = str(path.with_suffix(".json"))
    if described not in _opened().namelist():
        return Program(name)
    given: dict[str, Any] = json.loads(_opened().read(described))
    root = given.pop("root", None)
    files = None if root is None else _files(f"{path.parent / root}/")
    return Program(name, root=files, **given)


def _files(folder: str) -> dict[str, bytes]:
    """What lies in a folder of the archive: a mapping as `MemoryDirectory` takes it.

    Programs leave files behind, with the suffix ".cleanup"; those are not part of the folder.
    """
    found = (name for name in _opened().namelist() if name.startswith(folder))
    return {
        name.removeprefix(folder): b"" if name.endswith("/") else _opened().read(name)
        for name in found
        if name != folder and not name.endswith(".cleanup")
    }
