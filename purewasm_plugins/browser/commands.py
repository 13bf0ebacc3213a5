"""The fields of the form of a command: text that becomes arguments and an environment."""

from __future__ import annotations

from purewasm_plugins.errors import InvalidOptionError


def split_arguments(text: str) -> list[str]:
    """Split a line into arguments, as a shell does.

    Raises:
        InvalidOptionError: a quotation mark is not closed, or a backslash is the last character.
    """
    # Imported here: most visits run no command.
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidOptionError("args", f"they cannot be split: {error}") from None


def read_environment(text: str) -> dict[str, str]:
    """Read lines such as NAME=value; empty ones are left out.

    Raises:
        InvalidOptionError: a line has no "=".
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, mark, value = line.partition("=")
        if mark:
            found[name.strip()] = value
        elif name.strip():
            raise InvalidOptionError("env", f"line {number} is not of the form NAME=value")
    return found
