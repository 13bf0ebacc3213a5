"""The clocks of a module: those of the host, or one that moves only when it is read."""

from __future__ import annotations

import time

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Protocol

__all__ = ["MONOTONIC", "REALTIME", "Clock", "FixedClock", "HostClock", "ReplayedClock"]

#: The numbers of the clocks (`clockid`).
REALTIME, MONOTONIC = 0, 1


class FixedClock(Record):
    """A clock that is the same in each run: it moves when it is read, and by what a module sleeps.

    Attributes:
        start: nanoseconds since 1970 at the first reading.
        step: nanoseconds between two readings.

    Raises:
        InvalidOptionError: one of them is no int from 0 on that 64 bits hold.
    """

    start: int = 0
    step: int = 1_000

    def __post_init__(self) -> None:
        for name in self.__match_args__:
            value = getattr(self, name)
            fits = isinstance(value, int) and not isinstance(value, bool)
            if not fits or not 0 <= value < 1 << 64:
                expected = f"the {name} must be an int from 0 on, of up to 64 bits"
                raise InvalidOptionError("clock", f"{expected}, and is {value!r}")


class Clock(Protocol):
    """The clocks of one instance, in nanoseconds."""

    #: Whether a sleep takes real time.
    waits: bool

    def realtime(self) -> int:
        """Return the time since 1970."""

    def monotonic(self) -> int:
        """Return the time since some moment; it never goes back."""

    def resolution(self) -> int:
        """Return the least difference of two readings."""

    def skip(self, nanoseconds: int) -> None:
        """Go forward at once; only where sleeps take no real time."""


class HostClock:
    """The clocks of the host. The monotonic one begins with the instance, and tells no uptime."""

    waits = True

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    def realtime(self) -> int:
        """See `Clock`."""
        return time.time_ns()

    def monotonic(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns() - self._start

    def resolution(self) -> int:
        """See `Clock`."""
        return 1

    def skip(self, nanoseconds: int) -> None:
        """See `Clock`."""


class ReplayedClock:
    """The clock of an instance that a `FixedClock` describes."""

    waits = False

    def __init__(self, fixed: FixedClock) -> None:
        self._start = fixed.start
        self._step = fixed.step
        self._elapsed = -fixed.step

    def realtime(self) -> int:
        """See `Clock`."""
        self._elapsed += self._step
        return self._start + self._elapsed

    def monotonic(self) -> int:
        """See `Clock`."""
        self._elapsed += self._step
        return self._elapsed

    def resolution(self) -> int:
        """See `Clock`."""
        return self._step or 1

    def skip(self, nanoseconds: int) -> None:
        """See `Clock`."""
        self._elapsed += nanoseconds
