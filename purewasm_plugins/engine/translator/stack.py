"""Python's own stack, which calls between generated functions use.

Python counts its frames against the recursion limit. That belongs to the whole process, with its
other threads and its host functions, so it cannot be the limit of a call; `metering` has that. Here
it is raised, far enough for each call that reserves stack, and restored when the last of them ends.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident

from purewasm_plugins.support.typed import Any, Callable, Protocol

__all__ = ["DEEPEST", "PYTHON_STACK", "call_on_one_piece", "height"]

#: The most functions of one entry that may be active at once. CPython has their frames on the heap,
#: some hundred bytes each, and the backtrace of so deep a trap takes seconds to make. In Pyodide,
#: and maybe elsewhere, they use a native stack, whose overflow cannot be caught.
_ON_THE_HEAP = sys.implementation.name == "cpython" and sys.platform != "emscripten"
DEEPEST = 100_000 if _ON_THE_HEAP else 5_000

#: Frames that a host function, or the translation of a function, may use.
_HOST_FRAMES = 1000

#: The most calls into instances that are nested in one thread. With host functions in between each
#: takes two kilobytes of the stack of C before Python 3.12; a thread has 256 kilobytes at least.
_MOST_ENTRIES = 100

#: Instances with a running call up to which only every fourth entry is counted, which takes as long
#: as three short calls.
_FEW_HOLDERS = 4


class Holder(Protocol):
    """A call into an instance that reserves Python's stack.

    Attributes:
        nesting: how many of its entries are active; none after its end.
        thread: the one it runs in; `reserve` sets it.
    """

    nesting: int
    thread: int


class _PythonStack:
    """The recursion limit, and the calls of all threads that have it raised.

    Attributes:
        crowded: whether so many calls have it raised that each entry has to be counted.
    """

    __slots__ = ("_holders", "_lock", "_raised", "_usual", "crowded")

    def __init__(self) -> None:
        # A signal's handler may call a plugin while its thread holds the lock.
        self._lock = RLock()
        self._holders: set[Holder] = set()
        self._usual = 0
        self._raised = 0
        self.crowded = False

    def reserve(self, holder: Holder, height: int, calls: int) -> None:
        """Reserve stack for a call, until `release`.

        Args:
            holder: the call that has begun.
            height: of the stack below its functions, in frames.
            calls: how many functions may be active.

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
                # Raises if this thread is so deep that `release` could not restore it.
                sys.setrecursionlimit(self._usual)
                limit = self._raised = self._usual
            holders.add(holder)
            self.crowded = len(holders) > _FEW_HOLDERS
            # Frames below may have been called through C, which counts before Python 3.12, too: the
            # usual limit is added for those. A function's first call takes two frames.
            needed = self._usual + height + 2 * calls + _HOST_FRAMES
            if limit < needed:
                if limit != self._raised:
                    # A host function has set it.
                    self._usual = limit
                self._raised = needed
                sys.setrecursionlimit(needed)

    def release(self, holder: Holder) -> None:
        """End the reservation of a call."""
        with self._lock:
            self._holders.discard(holder)
            self.crowded = len(self._holders) > _FEW_HOLDERS
            if self._active() or sys.getrecursionlimit() != self._raised:
                return
            try:
                sys.setrecursionlimit(self._usual)
            except RecursionError:
                # This thread is too deep, by another's reservation; the next call restores it.
                return
            self._raised = self._usual

    def _active(self) -> set[Holder]:
        """Return the holders, without those that have ended and not called `release`."""
        for holder in self._holders:
            if not holder.nesting:
                self._holders = {holder for holder in self._holders if holder.nesting}
                break
        return self._holders

    def forked(self) -> None:
        """Continue in a child process, which only has the thread that forked."""
        self._lock = RLock()
        thread = get_ident()
        self._holders = {holder for holder in self._holders if holder.thread == thread}


PYTHON_STACK = _PythonStack()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PYTHON_STACK.forked)


#: CPython has the frames of Python functions in pieces of 16 KiB, and a recursion that crosses the
#: border of two allocates and frees one with each call. A piece for a frame that is larger is made
#: as large as that, rounded up to a power of two of bytes: the rest of it is for the calls above.
#: This frame has room for so many operands that it takes a little more than half of a MiB. It does
#: not touch them, so the machine gives no memory for them.
_LARGE_FRAME = (1 << 19) // 8


def call_on_one_piece(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function so that half a MiB of frames above it needs no other piece.

    That takes about 10 microseconds longer. Without, the same recursion was measured to take up to
    50 times as long on CPython 3.11, 3.12 and 3.13, by the number of frames below it.
    """
    return function(*arguments)


#: Elsewhere frames have no pieces.
if _ON_THE_HEAP:
    call_on_one_piece.__code__ = call_on_one_piece.__code__.replace(co_stacksize=_LARGE_FRAME)


def height(guess: int, above: int = 0) -> int:
    """Return the number of frames on the stack, up to and with the caller's or one below it.

    Args:
        guess: what it was in the same place; if it is near, that is fast to find.
        above: the number of frames, the caller's included, that lie above the last one to count.
    """
    above += 1
    # A probe takes as long as to walk over some ten frames.
    while guess > 0:
        try:
            frame = sys._getframe(guess + above - 1)
            break
        except ValueError:
            guess -= 1 + guess // 8
    else:
        frame, guess = sys._getframe(above), 1
    while frame.f_back is not None:
        frame = frame.f_back
        guess += 1
    return guess
