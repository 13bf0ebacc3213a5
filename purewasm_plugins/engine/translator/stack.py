"""Python's own stack, which the calls between generated functions are made on.

Python counts its frames against the recursion limit, which is the whole process's: other threads
have it too, and host functions. So it is no call's limit (`metering` has that). It is only raised,
far enough for every call that is known to need it, and put back when none does any more.
"""

from __future__ import annotations

import os
import sys
from threading import RLock, get_ident
from typing import Protocol

__all__ = ["DEEPEST", "PYTHON_STACK", "height"]

#: The most functions of one entry that may be active at once. CPython has their frames on the heap,
#: some hundred bytes each, and the backtrace of so deep a trap takes seconds to make. In Pyodide,
#: and maybe elsewhere, they take a stack whose end nobody can catch.
_ON_THE_HEAP = sys.implementation.name == "cpython" and sys.platform != "emscripten"
DEEPEST = 100_000 if _ON_THE_HEAP else 5_000

#: Frames that a host function, or the translation of a function, may use.
_HOST_FRAMES = 1000

#: Calls into instances that one thread may have in each other. With host functions in between each
#: takes two kilobytes of the stack of C before Python 3.12; a thread has 256 at least.
_MOST_ENTRIES = 100


class Holder(Protocol):
    """A call into an instance that Python's stack is to have room for.

    Attributes:
        nesting: how many entries it has now; none once it is over.
        thread: where it runs; `reserve` sets it.
    """

    nesting: int
    thread: int


class _PythonStack:
    """The recursion limit, as the calls of all threads need it."""

    __slots__ = ("_holders", "_lock", "_raised", "_usual")

    def __init__(self) -> None:
        # A signal's handler may call a plugin while its own thread is in here.
        self._lock = RLock()
        self._holders: set[Holder] = set()
        self._usual = 0
        self._raised = 0

    def reserve(self, holder: Holder, height: int, calls: int) -> None:
        """Provide for a call, until `release`.

        Args:
            holder: the call that has begun.
            height: of the stack below the functions that are to come, in frames.
            calls: how many of them may be active.

        Raises:
            RecursionError: the stack has been used up already.
        """
        with self._lock:
            holders = self._active()
            holder.thread = thread = get_ident()
            entries = 0
            for other in holders:
                if other.thread == thread:
                    entries += other.nesting
            if height > DEEPEST or entries > _MOST_ENTRIES:
                raise RecursionError("too many calls into instances are nested in each other")
            limit = sys.getrecursionlimit()
            if not holders:
                if limit != self._raised:
                    self._usual = limit
                # Refused where this thread is so deep that `release` could not.
                sys.setrecursionlimit(self._usual)
                limit = self._raised = self._usual
            holders.add(holder)
            # Frames below may have been called through C, which before Python 3.12 counts as well:
            # the usual limit is there for that. A function's first call takes two frames.
            needed = self._usual + height + 2 * calls + _HOST_FRAMES
            if limit < needed:
                if limit != self._raised:
                    # A host function has set it.
                    self._usual = limit
                self._raised = needed
                sys.setrecursionlimit(needed)

    def release(self, holder: Holder) -> None:
        """What `reserve` has provided for a call is no longer needed."""
        with self._lock:
            self._holders.discard(holder)
            if self._active() or sys.getrecursionlimit() != self._raised:
                return
            try:
                sys.setrecursionlimit(self._usual)
            except RecursionError:
                # This thread got so deep by what another one needed; the next call will.
                return
            self._raised = self._usual

    def _active(self) -> set[Holder]:
        """The holders; those that are over and have not said so are forgotten."""
        for holder in self._holders:
            if not holder.nesting:
                self._holders = {holder for holder in self._holders if holder.nesting}
                break
        return self._holders

    def forked(self) -> None:
        """Go on in a child process, which has none of the threads but the one that forked."""
        self._lock = RLock()
        thread = get_ident()
        self._holders = {holder for holder in self._holders if holder.thread == thread}


PYTHON_STACK = _PythonStack()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PYTHON_STACK.forked)


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
