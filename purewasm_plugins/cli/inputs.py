"""A tool's input: from the command line, from a file, or from standard input."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from purewasm_plugins.cli.exits import Exit, Failure

_STANDARD_INPUT = "-"


def tool_input(argument: str | None, file: str | None, *, piped: bool = False) -> str:
    """Return the input of a tool.

    Args:
        argument: INPUT; "-" stands for standard input.
        file: the path of `--input-file`; "-" stands for standard input.
        piped: whether standard input is also read where neither is given and it is no terminal.

    Raises:
        click.UsageError: both are given.
        Failure: the bytes cannot be read, or are not UTF-8.
    """
    if file is not None and argument is not None:
        raise click.UsageError("INPUT and --input-file exclude each other.")
    if file is not None and file != _STANDARD_INPUT:
        try:
            with open(file, "rb") as opened:
                return _decoded(opened, f"'{file}'")
        except (OSError, ValueError) as error:
            raise Failure(_cannot_read(f"'{file}'", error), Exit.USAGE) from error
    if _STANDARD_INPUT in (argument, file) or (argument is None and piped and _is_piped()):
        if sys.stdin is None:
            raise Failure("standard input is closed", Exit.USAGE)
        return _decoded(sys.stdin.buffer, "standard input")
    return argument or ""


def _is_piped() -> bool:
    return sys.stdin is not None and not sys.stdin.isatty()


def _decoded(file: BinaryIO, name: str) -> str:
    try:
        return file.read().decode()
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"{name} is not UTF-8: byte {error.start} is {byte:#04x}"
        raise Failure(message, Exit.USAGE) from error
    except OSError as error:
        raise Failure(_cannot_read(name, error), Exit.USAGE) from error


def _cannot_read(name: str, error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"cannot read {name}: {reason or error}"
