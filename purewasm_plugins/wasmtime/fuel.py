"""The fuel of a store, which all its instances use.

An instance meters its calls in its own `Budget`, and is given fuel in slices. Only one instance of
a store has a slice at a time: before another gets one, what is left of it is given back. So none
has fuel that the tank does not have any more, and a call of an instance that was called last begins
with what is left of its slice, as without a store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purewasm_plugins.engine.translator.metering import SlicedBudget
from purewasm_plugins.errors import OutOfFuel

__all__ = ["Tank"]

_Entry = Callable[..., Any]


class Tank:
    """The fuel that a store has left.

    Attributes:
        left: units, without what the running instance has used since it began to run.
        running: the meter of the instance that runs; None where none does.
        holder: the meter that was given a slice last.
    """

    __slots__ = ("holder", "left", "running")

    def __init__(self) -> None:
        """Begin empty."""
        self.left = 0
        self.running: _Meter | None = None
        self.holder: _Meter | None = None

    def get(self) -> int:
        """Return the units that are left."""
        if self.running is not None:
            self.running.settle()
        return self.left

    def set(self, units: int) -> None:
        """Have so many units left."""
        self.get()
        self.left = units
        self.take_back()

    def take_back(self) -> None:
        """Take back what is left of the slice that was given last."""
        if self.holder is not None:
            self.holder.give_back()

    def metered(self, budget: SlicedBudget, entries: list[_Entry]) -> list[_Entry]:
        """Have an instance use fuel of the tank.

        Args:
            budget: the instance's.
            entries: its functions, on raw values.

        Returns:
            The functions that are called instead.
        """
        meter = _Meter(self, budget)
        budget.limits = meter
        return [self._metered(meter, entry) for entry in entries]

    def _metered(self, meter: _Meter, entry: _Entry) -> _Entry:
        def call(*arguments: Any) -> Any:
            before = self.running
            if before is not None:
                before.settle()
            self.running = meter
            try:
                return entry(*arguments)
            except OutOfFuel:
                self.set(0)
                raise
            finally:
                meter.settle()
                self.running = before

        return call


class _Meter:
    """What an instance may use of a tank: the limits of its budget."""

    __slots__ = ("_budget", "_mark", "_tank", "timeout")

    def __init__(self, tank: Tank, budget: SlicedBudget) -> None:
        self._tank = tank
        self._budget = budget
        #: What the budget had used when it was settled last.
        self._mark = budget.taken()
        self.timeout = None

    @property
    def fuel(self) -> int:
        """The units that the running call may use, with those that it has used.

        The budget asks before it makes a slice.
        """
        tank = self._tank
        if tank.holder is not self:
            tank.take_back()
            tank.holder = self
        return tank.left + self._mark - self._budget.start

    def give_back(self) -> None:
        """Give back what is left of the budget's slice."""
        self._budget.recheck_limits()

    def settle(self) -> None:
        """Pay for what was used."""
        used = self._budget.taken()
        self._tank.left = max(self._tank.left - used + self._mark, 0)
        self._mark = used
