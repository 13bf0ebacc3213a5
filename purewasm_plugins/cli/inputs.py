"""A tool's input: from the command line, from a file, or from standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.errors import InvalidArgumentsError
from purewasm_plugins.plugin import PluginTool

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
        return decoded(file.read(), name)
    except OSError as error:
        raise Failure(_cannot_read(name, error), Exit.USAGE) from error


def decoded(data: bytes, name: str) -> str:
    """Return the text of an input.

    Args:
        data: its bytes.
        name: what has them, for the error.

    Raises:
        Failure: they are not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"{name} is not UTF-8: byte {error.start} is {byte:#04x}"
        raise Failure(message, Exit.USAGE) from error


def opened_input(file: str | None) -> tuple[BinaryIO, str]:
    """Return the file of `--input-file`, or standard input, and its name.

    Raises:
        click.UsageError: no file is given, and standard input is a terminal.
        Failure: it cannot be opened.
    """
    if file is not None and file != _STANDARD_INPUT:
        try:
            return open(file, "rb"), f"'{file}'"
        except (OSError, ValueError) as error:
            raise Failure(_cannot_read(f"'{file}'", error), Exit.USAGE) from error
    if sys.stdin is None:
        raise Failure("standard input is closed", Exit.USAGE)
    if file is None and not _is_piped():
        raise click.UsageError("Missing option '--input-file', and nothing is piped in.")
    return sys.stdin.buffer, "standard input"


def lines_of(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the lines of an opened input, as they come.

    Raises:
        Failure: they cannot be read.
    """
    try:
        yield from file
    except OSError as error:
        raise Failure(_cannot_read(name, error), Exit.USAGE) from error


def read_arguments(tool: PluginTool, text: str) -> dict[str, Any]:
    """Return the arguments in the input of a tool with a schema, which are not checked yet.

    Raises:
        InvalidArgumentsError: it is no JSON object.
    """
    # Imported here: a tool without a schema needs none of them.
    from purewasm_plugins.plugin.conformance.inputs import example_arguments
    from purewasm_plugins.support.json_text import read_json

    example = f"for example '{example_arguments(tool.parameters)}'"
    try:
        arguments = read_json(text)
    except ValueError as error:
        found = f"not JSON: {error}" if text.strip() else "there are none"
        raise InvalidArgumentsError(tool.name, f"{found}; {example}") from error
    if not isinstance(arguments, dict):
        raise InvalidArgumentsError(tool.name, f"they must be a JSON object; {example}")
    return arguments


def _cannot_read(name: str, error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"cannot read {name}: {reason or error}"
