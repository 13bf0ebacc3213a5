"""How the command ends: the exit statuses, and the error that carries one."""

from __future__ import annotations

import enum

import click


class Exit(enum.IntEnum):
    """The exit statuses, and what each means."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    PLUGIN = 3
    TOOL = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141

    @property
    def meaning(self) -> str:
        """What it means, for the help text."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "done",
    Exit.CHECK_FAILED: "a check failed",
    Exit.USAGE: "wrong usage, or an input that cannot be read",
    Exit.PLUGIN: "the plugin cannot be read or loaded",
    Exit.TOOL: "the tool failed, or there is none of that name",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.BROKEN_PIPE: "nobody reads the output any more",
}


#: What becomes of a `MemoryError`, wherever it comes from.
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
