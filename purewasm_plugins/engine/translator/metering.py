"""The budget of a translated instance: an iterator that every loop and function takes from.

Generated code meters itself with `for _ in budget:`, which costs next to nothing: `budget` chains
slices, each a `repeat` of some units that CPython counts down in C. Between two slices fuel, the
deadline, cancellation and the call depth are looked at, and progress is reported. How large a slice
is follows from how long the last one took, and from how much deeper calls may still go: each takes
a unit, so a slice is no larger than that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, islice, repeat
from operator import length_hint
from time import monotonic
from typing import NoReturn

from purewasm_plugins.engine.base import HostException
from purewasm_plugins.engine.limits import Budget, ResourceLimits
from purewasm_plugins.engine.translator.stack import DEEPEST, PYTHON_STACK
from purewasm_plugins.errors import (
    Cancelled,
    DeadlineExceeded,
    OutOfFuel,
    Trap,
    TrapReason,
)

__all__ = ["SlicedBudget"]

#: Units in the largest slice: more would save nothing that can be measured.
LARGEST_SLICE = 512

#: Seconds that a slice should take, at most and at least.
LONGEST, SHORTEST = 0.002, 0.0005


class SlicedBudget(Budget):
    """What is left of an instance's limits, to be taken from one unit at a time.

    Attributes:
        iterator: gives a value for each unit, or raises `Trap` where there is none left. Once it
            has raised it is dead, and would end a loop silently: `renew` makes another, and `check`
            says whether the running call has lost its own.
        call_depth: functions that may be active at once, in one entry.
        floor: frames on Python's stack that are no active function's: those below, and those that
            helpers have in between.
        reserved: whether Python's stack has been made large enough for the active entry. As long as
            it has not, no slice is given, so calls go no deeper than what is left of the last one.
    """

    def __init__(self, limits: ResourceLimits) -> None:
        self._given = 0
        self._start = 0
        self._slice: Iterator[None] = repeat(None, 0)
        self._size = 16
        self._looked = 0.0
        self._ended = False
        #: Units that may be given before the call depth has to be looked at.
        self._room = 0
        #: How many functions are active, as far as is known.
        self._active = 1
        self.floor = 0
        self.reserved = False
        depth = limits.call_depth
        self.call_depth = DEEPEST if depth is None else min(depth, DEEPEST)
        super().__init__(limits)
        self.iterator: Iterator[None] = iter(())
        self.renew()

    @property
    def fuel_used(self) -> int:
        """Units that the running call, or else the last one, has used."""
        return self._given - length_hint(self._slice) - self._start

    @fuel_used.setter
    def fuel_used(self, value: int) -> None:
        self._start = self._given - length_hint(self._slice) - value

    @property
    def deadline(self) -> float | None:
        """When the running call has to be over, by the monotonic clock."""
        return self._deadline

    def renew(self) -> None:
        """Make a new iterator, which goes on with the fuel of the one before."""
        used = self.fuel_used
        self._given = self._start + used
        self._slice = repeat(None, 0)
        self._ended = False
        self.iterator = chain.from_iterable(iter(self._next_slice, None))

    def is_dead(self, exception: BaseException) -> bool:
        """Whether the iterator has raised, given what has left generated code."""
        # Where the stack is exhausted, `_next_slice` may not even have been entered.
        exhausted = isinstance(exception, RecursionError) and length_hint(self._slice) == 0
        return self._ended or exhausted

    def shorten(self) -> None:
        """Give up what is left of a slice, so that the next unit looks around first.

        Any thread may call it: what `list` takes it takes at once.
        """
        self._given -= len(list(self._slice))

    def spend(self, units: int = 1) -> None:
        """See `Budget.spend`: units that are used at once come out of the same slice."""
        if units == 1:
            missing = next(self._slice, 1) or 0
        else:
            missing = units - len(list(islice(self._slice, units)))
        if missing:
            self.check_limits(missing)
            self._given += missing

    def cancel(self) -> None:
        """Make the running call trap at its next function entry or loop start."""
        self._cancelled = True
        self.shorten()

    def reserve(self) -> None:
        """Have Python's stack made large enough for what may come in the active entry."""
        if not self.reserved:
            PYTHON_STACK.reserve(self.floor, self.call_depth)
            self.reserved = True

    def release(self) -> None:
        """The active entry ends."""
        if self.reserved:
            self.reserved = False
            self._room = 0
            PYTHON_STACK.release()

    def resume(self, floor: int, reserved: bool, slice: Iterator[None]) -> None:
        """Go on after a call back into the instance, with what there was before it."""
        self.floor = floor
        self.reserved = reserved
        if slice is not self._slice:
            # This one was measured for the stack of the call that is over.
            self.shorten()

    def _measure(self) -> int:
        """How many units may be given before calls can be too deep; none where they are.

        It is known exactly while the number of active functions is what it was found to be, which
        in a loop it is. Else a guess is enough that is not too low: to look that far down the stack
        costs a few nanoseconds for each frame.
        """
        self.reserve()
        depth, active = self.call_depth, self._active
        try:
            # Two frames are this method's and its caller's, and the outermost has the number zero.
            while sys._getframe(self.floor + active + 1).f_back is not None:
                if active >= depth:
                    return 0
                active += (depth - active + 1) // 2
        except ValueError:
            # A little lower the next time, so that it gets there.
            self._active = max(active - 1 - active // 16, 1)
            return depth - active + 2
        self._active = active
        return depth - active + 1

    def _next_slice(self) -> Iterator[None]:
        # Whatever is raised here ends the iterator that asked.
        self._ended = True
        room = self._room or self._measure()
        if not room:
            # It is the slice that raises: this call is too deep, but those outside of it can go on.
            self._ended = False
            return map(_exhausted, (None,))
        now = monotonic()
        used = self._given - self._start
        fuel = self.limits.fuel
        if self._cancelled:
            raise Cancelled
        if fuel is not None and used >= fuel:
            raise OutOfFuel
        if self._deadline is not None and now >= self._deadline:
            raise DeadlineExceeded
        elapsed = now - self._looked
        self._looked = now
        size = self._size
        if elapsed > LONGEST:
            size = max(1, int(size * SHORTEST / elapsed))
        elif elapsed < SHORTEST and size < LARGEST_SLICE:
            size *= 2
        if size > LARGEST_SLICE:
            size = LARGEST_SLICE
        if size > room:
            size = room
        self._size = size
        if self.progress is not None:
            try:
                self.progress(used)
            except Exception as exception:
                raise HostException(exception) from None
        if fuel is not None and size > fuel - used:
            size = fuel - used
        self._room = room - size
        self._given += size
        self._slice = repeat(None, size)
        self._ended = False
        return self._slice


def _exhausted(_: None) -> NoReturn:
    raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
