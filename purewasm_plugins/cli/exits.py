"""The end of the command: the exit statuses, and the error that carries one."""

from __future__ import annotations

import enum

import click

from purewasm_plugins.errors import DeadlineExceeded, LinkError, OutOfFuel, ResourceLimitError


class Exit(enum.IntEnum):
    """The exit statuses."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    PLUGIN = 3
    TOOL = 4
    INTERRUPTED = 130
    TRAP = 134
    BROKEN_PIPE = 141

    @property
    def meaning(self) -> str:
        """The meaning of the status, for the help text."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "done",
    Exit.CHECK_FAILED: "a check failed",
    Exit.USAGE: "wrong usage, or an input that cannot be read",
    Exit.PLUGIN: "the plugin cannot be read or loaded",
    Exit.TOOL: "the tool failed, refused its input, or does not exist",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.TRAP: "the program of exec trapped, or was ended by a limit",
    Exit.BROKEN_PIPE: "the reader of the output is gone",
}


#: The message for a `MemoryError`, wherever it comes from.
NO_ROOM = "there is not enough memory on this machine for what the file asks for"


class Failure(click.ClickException):
    """Ends the command with one line on standard error, and an exit status.

    Attributes:
        status: the exit status.
        trailer: lines that follow the first one, where the user asked for more.
    """

    def __init__(self, message: str, status: Exit, trailer: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.trailer = trailer


def advice(error: BaseException) -> str:
    """Return the end of an error's sentence: what the user can do about it.

    An empty string where that is unknown.
    """
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case OutOfFuel():
                return "; --fuel raises the limit"
            case DeadlineExceeded():
                return "; --timeout raises the limit"
            case LinkError(advice=str(known)) if known:
                return " (on the command line: --wasi)"
            case LinkError():
                return "; this command gives no imports: in Python, WasmPlugin.load takes them"
            case ResourceLimitError(limit="memory_pages", allowed=int()):
                return "; --limit-memory raises the limit"
        cause = cause.__cause__
    return ""
