"""Fixtures that run the command in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.conftest import ROOT, need

if TYPE_CHECKING:
    from click.testing import Result

FIXTURES = ROOT / "fixtures"


@pytest.fixture(scope="session")
def path() -> Callable[[str], str]:
    """`path(name)`: the path of a fixture in `wat`, or in `plugins` where it ends in `.wasm`."""

    def path(name: str) -> str:
        folder = "plugins" if name.endswith(".wasm") else "wat"
        return str((FIXTURES / folder / name).with_suffix(".wasm"))

    return path


@pytest.fixture(scope="session")
def command() -> Callable[..., Result]:
    """`command(*arguments, input=b"")`: the result; standard input is no terminal."""
    need("click", "rich")
    from click.testing import CliRunner

    from purewasm_plugins.cli.application import purewasm

    def command(*arguments: str, input: bytes = b"") -> Result:
        result = CliRunner().invoke(purewasm, arguments, input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


@pytest.fixture(scope="session")
def failure(command: Callable[..., Result]) -> Callable[..., tuple[int, str]]:
    """`failure(*arguments, input=b"")`: exit status and message; nothing else may be printed."""

    def failure(*arguments: str, input: bytes = b"") -> tuple[int, str]:
        result = command(*arguments, input=input)
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("purewasm: ")
        return result.exit_code, lines[0].removeprefix("purewasm: ")

    return failure


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    need("click", "rich")
    return subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


def no_room(*_: object, **__: object) -> NoReturn:
    """In place of any function: the machine has no memory left."""
    raise MemoryError
