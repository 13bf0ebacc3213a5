"""The suite's own text, its state at 3.0: what it assembles to, and what it refuses.

`wast-3.0.zip` has the scripts, and `wasm-3.0.zip` what wasm-tools makes of them: the modules as
bytes. Modules that need more than core 2.0 are left out: those whose bytes the decoder refuses, and
those that use a word of a later edition.
"""

from __future__ import annotations

import functools
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from purewasm_plugins.errors import DecodeError, TextError
from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.text.script import Command, ModuleSource, read_script

from . import suite

TEXTS = suite.location().with_name("wast-3.0.zip")
BINARIES = suite.location().with_name("wasm-3.0.zip")

pytestmark = pytest.mark.skipif(
    not (TEXTS.is_file() and BINARIES.is_file()),
    reason=f"no test suite at {TEXTS} and {BINARIES}",
)

#: The least share of modules with the same bytes as wasm-tools makes, and of refusals in the words
#: of the suite.
SAME, WORDED = 0.995, 0.98

#: The refusals of modules that need more than core 2.0, though their sections can be decoded; the
#: latter are of reference types in their long form.
LATER = re.compile(
    r".*(?:is|are) not supported|unexpected token \S+, expected (?:null|func or extern)"
)


def scripts() -> Iterator[tuple[str, list[tuple[Command, bytes | None]]]]:
    """Yield the commands of each script, with the module that wasm-tools makes of each."""
    with zipfile.ZipFile(TEXTS) as texts, zipfile.ZipFile(BINARIES) as binaries:
        tables = {Path(name).stem: name for name in binaries.namelist() if name.endswith(".json")}
        for name in sorted(texts.namelist()):
            if not name.endswith(".wast"):
                continue
            table = tables[Path(name).stem]
            folder = table.rpartition("/")[0]
            entries = json.loads(binaries.read(table))["commands"]
            commands = [*read_script(texts.read(name).decode())]
            assert len(commands) == len(entries)
            found = []
            for command, entry in zip(commands, entries, strict=True):
                file = entry.get("binary_filename", entry.get("filename"))
                is_text = file is None or file.endswith(".wat")
                data = None if is_text else binaries.read(f"{folder}/{file}".lstrip("/"))
                found.append((command, data))
            yield name, found


def sections(data: bytes) -> list[tuple[str, bytes]]:
    """The sections of a module, without custom ones."""
    return [
        (section.name, data[slice(*section.content)])
        for section in decode(data).sections
        if section.name != "custom"
    ]


class Results:
    """How the modules and refusals of all scripts went; the wrong ones are worded for reading."""

    def __init__(self) -> None:
        self.same = self.worded = 0
        self.different: list[str] = []
        self.misworded: list[str] = []
        self.accepted: list[str] = []

    def module(self, where: str, command: Command, expected: bytes) -> None:
        """Compare a module with the one that wasm-tools makes."""
        try:
            wanted = sections(expected)
        except DecodeError:
            return
        try:
            found = sections(source(command).data())
        except TextError as error:
            if not LATER.match(error.message):
                self.different.append(f"{where}: {error}")
        else:
            self.same += found == wanted
            if found != wanted:
                self.different.append(f"{where}: other bytes")

    def malformed(self, where: str, command: Command) -> None:
        """Assemble what is no module."""
        try:
            source(command).data()
        except TextError as error:
            if error.message.startswith(command.text):
                self.worded += 1
            elif not LATER.match(error.message):
                self.misworded.append(f"{where}: {error.message}, not {command.text}")
        else:
            self.accepted.append(f"{where}: {command.text}")


def source(command: Command) -> ModuleSource:
    """The module of a command that has one."""
    assert command.module is not None
    return command.module


@functools.cache
def results() -> Results:
    """Assemble every module of the suite."""
    found = Results()
    for name, commands in scripts():
        for command, expected in commands:
            where = f"{name}:{command.line}"
            assert command.kind != "unreadable", f"{where}: {command.text}"
            if command.kind == "assert_malformed":
                if source(command).kind != "binary":
                    found.malformed(where, command)
            elif expected is not None:
                found.module(where, command, expected)
    return found


def test_modules() -> None:
    found = results()
    assert found.same > 4000
    assert found.same / (found.same + len(found.different)) >= SAME, "\n".join(found.different)


def test_what_is_malformed() -> None:
    found = results()
    assert not found.accepted
    assert found.worded > 1000
    share = found.worded / (found.worded + len(found.misworded))
    assert share >= WORDED, "\n".join(found.misworded)
