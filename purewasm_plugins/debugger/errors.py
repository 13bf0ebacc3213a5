"""What a session refuses to do, in a sentence for the person at the keyboard."""

from __future__ import annotations

from purewasm_plugins.errors import WasmError


class DebuggerError(WasmError):
    """The debugger cannot do what it was asked for; the session goes on."""


class LocationError(DebuggerError):
    """A location is none of the program's.

    Attributes:
        location: as it was given.
        details: what is wrong with it.
    """

    def __init__(self, location: str, details: str) -> None:
        super().__init__(location, details)
        self.location = location
        self.details = details

    def __str__(self) -> str:
        return f"no such location '{self.location}': {self.details}"


class ExpressionError(DebuggerError):
    """An expression cannot be read, or has no value here.

    Attributes:
        expression: its text.
        details: what is wrong with it.
    """

    def __init__(self, expression: str, details: str) -> None:
        super().__init__(expression, details)
        self.expression = expression
        self.details = details

    def __str__(self) -> str:
        return f"'{self.expression}': {self.details}"
