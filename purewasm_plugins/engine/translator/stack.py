"""Python's own stack, which the calls between generated functions are made on.

Python counts its frames against the recursion limit, which is the whole process's: other threads
have it too, and host functions. So it is no call's limit (`metering` has that). It is only raised,
far enough for every call that is known to need it, and put back when none does any more.
"""

from __future__ import annotations

import sys
from threading import RLock

__all__ = ["DEEPEST", "PYTHON_STACK", "height"]

#: The most functions of one entry that may be active at once. CPython has their frames on the heap,
#: some hundred bytes each, and the backtrace of so deep a trap takes seconds to make. In Pyodide,
#: and maybe elsewhere, they take a stack whose end nobody can catch.
_ON_THE_HEAP = sys.implementation.name == "cpython" and sys.platform != "emscripten"
DEEPEST = 100_000 if _ON_THE_HEAP else 5_000

#: Frames that a host function, or the translation of a function, may use.
_HOST_FRAMES = 1000


class _PythonStack:
    """The recursion limit, as the calls of all threads need it."""

    __slots__ = ("_lock", "_raised", "_reservations", "_usual")

    def __init__(self) -> None:
        # A signal's handler may call a plugin while its own thread is in here.
        self._lock = RLock()
        self._reservations = 0
        self._usual = 0
        self._raised = 0

    def reserve(self, height: int, calls: int) -> None:
        """Provide for calls that have begun, until `release`.

        Args:
            height: of the stack below them, in frames.
            calls: how many functions may be active.

        Raises:
            RecursionError: the stack has been used up already; nothing has changed.
        """
        with self._lock:
            limit = sys.getrecursionlimit()
            if not self._reservations:
                if limit != self._raised:
                    self._usual = limit
                # Refused where this thread is so deep that `release` could not.
                sys.setrecursionlimit(self._usual)
                limit = self._raised = self._usual
            # Frames below may have been called through C, which before Python 3.12 counts as well:
            # the usual limit is there for that. A function's first call takes two frames.
            needed = self._usual + height + 2 * calls + _HOST_FRAMES
            if limit < needed:
                if limit != self._raised:
                    # A host function has set it.
                    self._usual = limit
                self._raised = needed
                sys.setrecursionlimit(needed)
            self._reservations += 1

    def release(self) -> None:
        """What `reserve` has provided is no longer needed."""
        with self._lock:
            self._reservations -= 1
            if self._reservations or sys.getrecursionlimit() != self._raised:
                return
            try:
                sys.setrecursionlimit(self._usual)
            except RecursionError:
                # This thread got so deep by what another one needed; the next call will.
                return
            self._raised = self._usual


PYTHON_STACK = _PythonStack()


def height(guess: int) -> int:
    """The number of frames on the stack, the caller's included.

    Args:
        guess: what it was in the same place; where it still is, that takes one look to see.
    """
    try:
        if sys._getframe(guess).f_back is None:
            return guess
    except ValueError:
        pass
    frame = sys._getframe(1)
    count = 1
    while frame.f_back is not None:
        frame = frame.f_back
        count += 1
    return count
