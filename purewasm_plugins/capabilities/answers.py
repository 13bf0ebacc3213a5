"""What a capability answers a plugin, and the time that it may take."""

from __future__ import annotations

from time import monotonic

from purewasm_plugins.runtime.imports import Caller
from purewasm_plugins.support.typed import Callable

__all__ = ["PIECE", "REFUSED", "VALUE", "CallTime", "Refused", "answer"]

#: The first character of an answer: what follows is a value, or the reason of a refusal.
VALUE, REFUSED = "=", "!"

#: Seconds between two checks whether a call that waits was cancelled, or is out of time.
PIECE = 0.02


class Refused(Exception):
    """A capability does not do what a plugin asks for; the text tells the plugin why.

    It never leaves the package: `answer` makes a string of it.
    """


def answer(caller: Caller, ask: Callable[[], str | None]) -> str | None:
    """Return what a plugin gets: a value, a refusal, or None where there is neither.

    Args:
        caller: the instance that asks.
        ask: returns the value, or None.
    """
    try:
        value = ask()
        text = None if value is None else VALUE + value
    except Refused as refused:
        text = REFUSED + str(refused)
    limit = caller.instance.limits.output_bytes
    if text is None or limit is None or len(text.encode()) <= limit:
        return text
    return f"{REFUSED}the answer is longer than {limit} bytes"


class CallTime:
    """The time of one request: that of the plugin's call, and a limit of its own."""

    def __init__(self, caller: Caller, seconds: float) -> None:
        """Begin.

        Args:
            caller: the instance whose call it is part of.
            seconds: the limit.
        """
        self._budget = caller.instance.budget
        self._seconds = seconds
        self._end = monotonic() + seconds

    def check(self) -> None:
        """Check that the request may go on.

        Raises:
            Refused: its own time is over.
            DeadlineExceeded, Cancelled: that of the call is, or the call was cancelled.
        """
        self._budget.check_limits()
        if monotonic() >= self._end:
            raise Refused(f"it took longer than {self._seconds:g} seconds")
