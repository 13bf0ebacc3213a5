"""How much a module may use: the limits that a user sets, and the budget that meters one call.

Every engine counts alike, by the definition of fuel in `ResourceLimits`, so the same program uses
the same fuel on each of them. Nothing here uses a thread or a signal: the engine asks, between two
instructions, whether it may go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import monotonic

from purewasm_plugins.errors import (
    Cancelled,
    DeadlineExceeded,
    OutOfFuel,
    ResourceLimitError,
    Trap,
    TrapReason,
)
from purewasm_plugins.support.records import Record


class ResourceLimits(Record):
    """What an instance may use. `None` lifts a limit.

    Attributes:
        memory_pages: pages of 64 KiB that a memory may have, at first or grown; a host's input
            pages count too. `memory.grow` beyond it answers -1; declaring more is refused.
        fuel: units that one call from outside may use. Entering a function that a module defines
            costs one unit, and so does every start of a loop's body: its first, and one for each
            branch back to it. `memory.fill`, `memory.copy`, `memory.init` and a `memory.grow` that
            succeeds cost one for each started 4 KiB, the same instructions on tables one for each
            started 1024 elements. Calling a host function costs nothing.
        timeout: seconds that one call from outside may take. A plugin's call is one with all that
            belongs to it: see `WasmPlugin.execute_tool`.
        call_depth: functions of the module that may be active at once. A call that a host function
            makes back into the instance counts from one again. The pywasm engine has a bound of its
            own at 1023, and the translator at 100 000, or 5 000 inside Pyodide. Functions with more
            than 256 variables may have a million of them active, and calls into instances that host
            functions make in each other may be 100 in a thread.
        table_elements: entries that the tables of an instance may have together, at first or grown,
            as with `memory_pages`; and references that its element segments may hold together.
        translated_characters: characters of Python that the translator may write for one function
            of the module, before its first call. So many take it half a second and 64 MiB; compiled
            code becomes four or five for each of its bytes.
        output_bytes: length of the longest string that is read from a plugin.

    Raises:
        ValueError: a limit is negative, or no int; `timeout` may be a float, but a finite one.
    """

    memory_pages: int | None = 1024
    fuel: int | None = 10_000_000_000
    timeout: float | None = 30.0
    call_depth: int | None = 1000
    table_elements: int | None = 1_000_000
    translated_characters: int | None = 400_000
    output_bytes: int | None = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.__match_args__:
            value = getattr(self, name)
            if value is None:
                continue
            allowed, wanted = ((int, float), "a number") if name == "timeout" else (int, "an int")
            if not isinstance(value, allowed) or isinstance(value, bool):
                raise ValueError(f"the limit {name} must be {wanted} or None: {value!r}")
            if value < 0:
                raise ValueError(f"the limit {name} must not be negative: {value}")
            if name == "timeout" and not value <= sys.float_info.max:
                raise ValueError(f"the limit {name} must be finite; None lifts it: {value}")

    def check(self, limit: str, requested: int) -> None:
        """Refuse what is over the limit of that name.

        Raises:
            ResourceLimitError: `requested` is more than the limit allows.
        """
        allowed = getattr(self, limit)
        if allowed is not None and requested > allowed:
            raise ResourceLimitError(limit, requested, allowed)


#: What one unit of fuel stands for in an instruction that moves many bytes or table elements.
BYTES_PER_UNIT = 4096
ELEMENTS_PER_UNIT = 1024

#: Units between two looks at the limits in such an instruction: 1 MiB, less than a millisecond.
_UNITS_PER_PIECE = 256

#: Uses that many units of fuel, or raises the trap that ends the call.
Spend = Callable[[int], None]


def pieces(
    size: int, per_unit: int, spend: Spend | None, *, backwards: bool = False
) -> Iterator[tuple[int, int]]:
    """Cut the work of one instruction into pieces, each paid for before it is done.

    Args:
        size: the whole, in bytes or elements.
        per_unit: how much of it costs a unit.
        spend: pays; None where the host itself does the work.
        backwards: whether the last piece comes first.

    Returns:
        The start and the end of each piece.
    """
    starts = range(0, size, per_unit * _UNITS_PER_PIECE)
    for start in reversed(starts) if backwards else starts:
        end = min(start + starts.step, size)
        if spend is not None:
            spend((end - start + per_unit - 1) // per_unit)
        yield start, end


class Operation:
    """Several calls that share one deadline, and that are cancelled together.

    Attributes:
        deadline: when all of them have to be over, by the monotonic clock; None for never.
        cancelled: whether `cancel` was called.
    """

    __slots__ = ("_budget", "cancelled", "deadline")

    def __init__(self, timeout: float | None) -> None:
        """Begin.

        Args:
            timeout: seconds from now on that all of it may take; None for any number.
        """
        self.deadline = None if timeout is None else monotonic() + timeout
        self.cancelled = False
        self._budget: Budget | None = None

    def include(self, budget: Budget) -> None:
        """Make the calls that a budget meters parts of this, until `end` or another budget."""
        budget.operation = self
        self._budget = budget
        # `cancel` may have been called before the budget was known.
        if self.cancelled:
            budget.recheck_limits()

    def end(self) -> None:
        """The next call of the instance stands for itself again."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.operation = None

    def cancel(self) -> None:
        """Make the running call trap at its next function entry or loop start, or else the next
        one. Any thread may call it, and nothing happens after the end."""
        self.cancelled = True
        budget = self._budget
        if budget is not None:
            budget.recheck_limits()

    def check(self) -> None:
        """Look between two calls whether there may be another one.

        Raises:
            DeadlineExceeded, Cancelled
        """
        if self.cancelled:
            raise Cancelled
        if self.deadline is not None and monotonic() >= self.deadline:
            raise DeadlineExceeded


class Budget:
    """What is left of an instance's limits in the call that is running.

    A call from outside starts a new budget; a call that a host function makes back into the same
    instance goes on with the budget of the call it is part of.
    """

    #: Calls of an instance that may be nested in each other through host functions or other
    #: instances: each takes several frames of the Python stack.
    NESTING = 64

    #: Units of fuel between two looks at the clock.
    _PERIOD = 64

    def __init__(self, limits: ResourceLimits) -> None:
        self.limits = limits
        #: Told now and then, while a call runs, how much fuel it has used.
        self.progress: Callable[[int], None] | None = None
        #: What the calls from outside are parts of; None where each stands for itself.
        self.operation: Operation | None = None
        self.nesting = 0
        self.fuel_used = 0
        self._next_check = 0
        self.deadline: float | None = None
        self.cancel_requested = False
        #: What has ended the running call.
        self.pending_trap: Trap | None = None

    def enter(self) -> None:
        """A call from outside the instance begins.

        Raises:
            Trap: calls are nested too deep, or the call that this one is part of has already run
                out of its budget.
        """
        if self.nesting == 0:
            timeout = self.limits.timeout
            if self.operation is not None:
                self.deadline = self.operation.deadline
            else:
                self.deadline = None if timeout is None else monotonic() + timeout
            self.fuel_used = 0
            self._next_check = 0
            self.cancel_requested = False
            self.pending_trap = None
        elif self.nesting >= self.NESTING:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        else:
            self.check()
        self.nesting += 1

    def leave(self) -> None:
        """The call that `enter` began has ended, however it did."""
        self.nesting -= 1

    @property
    def cancelled(self) -> bool:
        """Whether the running call is to end, by itself or with what it is a part of."""
        operation = self.operation
        return self.cancel_requested or (operation is not None and operation.cancelled)

    def cancel(self) -> None:
        """Make the running call trap where it next enters a function or starts a loop, or where a
        host function returns to it.
        """
        self.cancel_requested = True
        self.recheck_limits()

    def recheck_limits(self) -> None:
        """Have the next unit of fuel look around first. Any thread may call it."""
        self._next_check = 0

    def spend(self, units: int = 1) -> None:
        """Use units of fuel, and look at the limits now and then.

        Raises:
            OutOfFuel, DeadlineExceeded, Cancelled
        """
        if self.fuel_used + units > self._next_check:
            self.check_limits(units)
            self._next_check = self.fuel_used + self._PERIOD
            if self.limits.fuel is not None:
                self._next_check = min(self._next_check, self.limits.fuel)
        self.fuel_used += units

    def check(self) -> None:
        """Raise again what has ended this call: a host function that swallowed it must not hide it.

        Raises:
            OutOfFuel, DeadlineExceeded, Cancelled
        """
        if self.pending_trap is not None:
            raise self.pending_trap.with_frames(())

    def check_limits(self, units: int = 0, seconds: float = 0.0) -> None:
        """Look at the limits.

        Args:
            units: of fuel that are about to be used. Where so many are not left, all are used.
            seconds: that will pass until the limits can be looked at again.

        Raises:
            OutOfFuel, DeadlineExceeded, Cancelled
        """
        fuel = self.limits.fuel
        if self.cancelled:
            self.pending_trap = Cancelled()
        elif fuel is not None and self.fuel_used + units > fuel:
            self.fuel_used = fuel
            self.pending_trap = OutOfFuel()
        else:
            self.check_deadline(seconds)
        self.check()

    def check_deadline(self, seconds: float = 0.0) -> None:
        """Look at the clock, after what may have taken its time.

        Args:
            seconds: that will pass until it can be looked at again.

        Raises:
            DeadlineExceeded
        """
        if self.deadline is not None and monotonic() + seconds >= self.deadline:
            self.pending_trap = DeadlineExceeded()
            self.check()
