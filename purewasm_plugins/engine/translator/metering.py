"""The budget of a translated instance: an iterator that every loop and function takes units from.

Generated code meters itself with `for _ in budget:`, which needs no counter and no comparison:
`budget` chains slices, each a `repeat` of some units that CPython counts down in C. Between two
slices, fuel, the deadline, cancellation and the call depth are checked, and progress is reported.
The size of a slice follows from the time that the last one took, and from how much deeper calls may
go: each takes a unit, so a slice is no larger than that.

A signal's handler may raise wherever CPython runs one: where a Python function begins, a call
returns, or a loop turns. The iterator survives any exception that is raised inside of it, and
fields that belong together are changed by statements that call nothing.
"""

from __future__ import annotations

import sys
from _operator import length_hint
from itertools import chain, islice, repeat
from time import monotonic
from types import CodeType

from purewasm_plugins.engine.translator.stack import DEEPEST, PYTHON_STACK, height
from purewasm_plugins.errors import Trap, TrapReason
from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.runtime.limits import Budget, ResourceLimits
from purewasm_plugins.support.typed import Iterator, NoReturn

__all__ = ["SlicedBudget"]

#: Units in the largest slice: more would save nothing that can be measured.
LARGEST_SLICE = 512

#: Units that may be granted without a look at the clock: some microseconds.
FEW_UNITS = 2048

#: Seconds that a slice should take, at most and at least.
LONGEST, SHORTEST = 0.002, 0.0005


class SlicedBudget(Budget):
    """The rest of an instance's limits, as an iterator over units of fuel.

    Example::

        (module (func $g)
          (func (param i32)
            (loop $again
              (call $g)
              (br_if $again (local.get 0)))))

        def f1(l0):
            for _ in budget: break
            for _ in budget:
                f0()
                if l0:
                    continue
                break
            return

    Attributes:
        iterator: gives a value for each unit, or raises `Trap` if none is left. It never ends, and
            after any exception the next unit checks the limits again.
        call_depth: functions that may be active at once, in one entry.
        floor: frames on Python's stack that are no active function's: those below, and those of
            helpers in between.
        measured: whether `floor` has those below. To count them takes longer than a short call: a
            call back is begun without, and it is done for the first slice that the call needs.
        heights: the height of Python's stack at the last entry, by the number of active entries.
        entry_code: the code of the entries, to find the frame of the active one.
        slots: variables and operands that the frames of large active functions have room for.
        thread: the one that the running call belongs to.
        reserved: whether Python's stack has been made large enough for the active entry. Before
            that no slice is made, so calls go no deeper than what is left of the last one.
        held: whether the running call holds a reservation of `PYTHON_STACK`.
        given: units in all slices so far.
        start: units that had been used when the running call began.
        slice: the present slice.
        dropped: units of slices that were given up, and that `given` still counts.
        room: units that may be given before the call depth has to be measured.
        checked: when the limits were checked last, by the monotonic clock.
        items: what the iterator chains, again and again: what makes a slice, and the slice.
    """

    def __init__(self, limits: ResourceLimits) -> None:
        self.given = 0
        self.start = 0
        self.slice: Iterator[None] = repeat(None, 0)
        between = _Between(bool, ())
        between.budget = self
        self.items: list[Iterator[None]] = [between, self.slice]
        self.dropped: list[None] = []
        self._size = 16
        self.checked = 0.0
        self.room = 0
        #: How many functions are active, as far as was measured.
        self._active = 1
        self.floor = 0
        self.measured = True
        self.heights = [0] * self.NESTING
        self.entry_code: CodeType | None = None
        self.slots = 0
        self.thread = 0
        self.reserved = False
        self.held = False
        depth = limits.call_depth
        self.call_depth = DEEPEST if depth is None else min(depth, DEEPEST)
        super().__init__(limits)
        self.renew()

    @property
    def fuel_used(self) -> int:
        """Units that the running call, or else the last one, has used."""
        return self.taken() - self.start

    @fuel_used.setter
    def fuel_used(self, value: int) -> None:
        self.start = self.taken() - value

    def taken(self) -> int:
        """Return how many units were taken from all slices so far, by all calls.

        Another thread that drops units between the two readings would have them counted twice.
        """
        while True:
            dropped = len(self.dropped)
            left = length_hint(self.slice)
            if len(self.dropped) == dropped:
                return self.given - left - dropped

    def renew(self) -> None:
        """Make a new iterator, which continues the one before.

        If the source of a chain raises, the chain has ended, and so do loops over it. An iterator
        that the source gives may raise. So the source here runs no Python code: it gives the two
        items of a list, again and again, and the first of them replaces the second by a new slice.
        """
        self.recheck_limits()
        self.iterator: Iterator[None] = chain.from_iterable(chain.from_iterable(repeat(self.items)))

    def recheck_limits(self) -> None:
        """Give up what is left of a slice, so that the next unit checks the limits.

        Any thread may call it: `extend` takes the units in one step.
        """
        self.dropped.extend(self.slice)

    def settle(self) -> None:
        """Subtract the units that were dropped from those that were given."""
        count = len(self.dropped)
        self.given -= count
        del self.dropped[:count]

    def spend(self, units: int = 1) -> None:
        """Use units of fuel; see `Budget.spend`. They come out of the same slice."""
        if units == 1:
            missing = next(self.slice, 1) or 0
        else:
            missing = units - len(list(islice(self.slice, units)))
        if missing:
            self.check_limits(missing)
            self.given += missing

    def grant(self, wanted: int) -> int:
        """Give units to iterations of a loop that are done at once, beside those of slices.

        The caller bounds `wanted`, so that the work of so many iterations takes no longer than a
        slice. Where a limit has been reached nothing is given: the next unit raises its trap.

        Args:
            wanted: how many iterations there are.

        Returns:
            For how many of them there is fuel; none if `wanted` is below zero.
        """
        if self.dropped:
            self.settle()
            if self.cancelled:
                return 0
        if wanted > FEW_UNITS:
            # Fewer take no longer than some of a slice, and at least one of these follows them.
            now = monotonic()
            deadline = self.deadline
            if deadline is not None and now >= deadline:
                self.recheck_limits()
                return 0
            if self.progress is not None and now - self.checked > LONGEST:
                self.checked = now
                self.report()
        fuel = self.limits.fuel
        if fuel is not None:
            left = fuel - self.given + self.start
            if left < wanted:
                wanted = left
        if wanted <= 0:
            return 0
        self.given += wanted
        return wanted

    def reserve(self) -> None:
        """Make Python's stack large enough for the calls of the active entry.

        Raises:
            RecursionError: it may not become so large.
        """
        if not self.reserved:
            self.held = True
            PYTHON_STACK.reserve(self, self.floor, self.call_depth)
            self.reserved = True

    def release(self) -> None:
        """Give the stack back: the call from outside has ended."""
        PYTHON_STACK.release(self)
        self.held = False

    def report(self) -> None:
        """Report how much fuel has been used."""
        if self.progress is not None:
            try:
                self.progress(self.fuel_used)
            except Exception as exception:
                raise HostException(exception) from None

    def measure(self) -> int:
        """Return how many units may be given before calls can be too deep; none if they are.

        The number of active functions is compared with the one that was measured last, which is
        right in a loop. Else an estimate is made that is not too low: to look that far down the
        stack takes a few nanoseconds for each frame.
        """
        if not self.measured:
            self._measure_floor()
        self.reserve()
        depth, active = self.call_depth, self._active
        try:
            # Two frames are this method's and its caller's, and the outermost has the number zero.
            while sys._getframe(self.floor + active + 1).f_back is not None:
                if active >= depth:
                    return 0
                active += (depth - active + 1) // 2
        except ValueError:
            # A little lower the next time, to approach the right number.
            self._active = max(active - 1 - active // 16, 1)
            return depth - active + 2
        self._active = active
        return depth - active + 1

    def _measure_floor(self) -> None:
        """Count the frames below the active entry, and have stack reserved above them."""
        frame, above = sys._getframe(), 0
        while frame.f_code is not self.entry_code and frame.f_back is not None:
            frame = frame.f_back
            above += 1
        # Three of them are this method's, its caller's, and that of what makes the slice.
        self._active = max(above - 3 - self.floor, 1)
        level = self.nesting - 1
        self.heights[level] = below = height(self.heights[level], above)
        self.floor += below
        self.measured = True
        self.reserved = False


class _Between(map):  # type: ignore[type-arg]
    """The item before each slice in the chain: it gives no unit, and makes the slice.

    It is a `map`, so that `iter` of it runs in C and cannot be interrupted.
    """

    budget: SlicedBudget

    def __next__(self) -> NoReturn:
        budget = self.budget
        if budget.progress is not None:
            budget.report()
        room = budget.room or budget.measure()
        if not room:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        if budget.dropped:
            budget.settle()
        now = monotonic()
        fuel, deadline = budget.limits.fuel, budget.deadline
        left = LARGEST_SLICE if fuel is None else fuel - budget.given + budget.start
        if left <= 0 or budget.cancelled or (deadline is not None and now >= deadline):
            budget.check_limits(1)
        elapsed = now - budget.checked
        budget.checked = now
        size = budget._size
        if elapsed > LONGEST:
            size = int(size * SHORTEST / elapsed) or 1
        elif elapsed < SHORTEST and size < LARGEST_SLICE:
            size *= 2
        if size > LARGEST_SLICE:
            size = LARGEST_SLICE
        if size > room:
            size = room
        budget._size = size
        if size > left:
            size = left
        slice = repeat(None, size)
        # From here on nothing is called; see above.
        budget.room = room - size
        budget.given += size
        budget.slice = budget.items[1] = slice
        raise StopIteration
