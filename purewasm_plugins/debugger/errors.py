"""The errors of the debugger.

DebuggerError               the debugger cannot do what it was asked for
├── HitCountError               the hit count of a breakpoint (a ValueError too)
├── LocationError               a location is not in the program
└── ExpressionError             an expression cannot be parsed or has no value
"""

from __future__ import annotations

from purewasm_plugins.errors import PureWasmError

__all__ = ["DebuggerError", "ExpressionError", "HitCountError", "LocationError"]


class DebuggerError(PureWasmError):
    """The debugger cannot do what it was asked for; the session goes on."""


class HitCountError(DebuggerError, ValueError):
    """The hit count of a breakpoint is less than 1.

    Attributes:
        count: as it was given.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def _words(self) -> str:
        return f"a hit count must be 1 or more: {self.count}"


class LocationError(DebuggerError):
    """A location is not in the program.

    Attributes:
        location: the location, as it was given.
        details: the fault.
    """

    def __init__(self, location: str, details: str) -> None:
        super().__init__(location, details)
        self.location = location
        self.details = details

    def _words(self) -> str:
        return f"no such location '{self.location}': {self.details}"


class ExpressionError(DebuggerError):
    """An expression cannot be parsed, or has no value at this point.

    Attributes:
        expression: its text.
        details: the fault.
    """

    def __init__(self, expression: str, details: str) -> None:
        super().__init__(expression, details)
        self.expression = expression
        self.details = details

    def _words(self) -> str:
        return f"'{self.expression}': {self.details}"
