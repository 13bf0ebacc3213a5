"""Limits of what a module may use: those that a user sets, and the budget that meters one call.

Every engine counts alike, by the definition of fuel in `ResourceLimits`, so the same program uses
the same fuel on each of them. No thread and no signal is used: an engine checks the limits between
two instructions.
"""

from __future__ import annotations

import sys
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
from purewasm_plugins.support.typed import Callable, Iterator, Protocol


class ResourceLimits(Record):
    """The limits of what an instance may use. `None` lifts a limit.

        >>> from purewasm_plugins import ResourceLimits
        >>> ResourceLimits(timeout=0.5, memory_pages=16).memory_pages
        16

    Attributes:
        memory_pages: pages of 64 KiB that a memory may have, at first or grown; a host's input
            pages count too. `memory.grow` beyond it returns -1; a module that declares more is
            refused.
        fuel: units that one call from outside may use. Entering a function that a module defines
            costs one unit, and so does every start of a loop's body: its first, and one for each
            branch back to it. `memory.fill`, `memory.copy`, `memory.init` and a `memory.grow` that
            succeeds cost one for each started 4 KiB, the same instructions on tables one for each
            started 1024 elements. Calling a host function costs nothing.
        timeout: seconds that one call from outside may take. A plugin's call includes all that
            belongs to it: see `WasmPlugin.execute_tool`.
        call_depth: functions of the module that may be active at once. A call that a host function
            makes back into the instance counts from one again. The pywasm engine has a bound of its
            own at 1023, and the translator at 100 000, or 5 000 inside Pyodide. Functions with more
            than 256 variables may have a million of them active together, and 100 calls into
            instances may be nested in each other through host functions in a thread.
        table_elements: entries that the tables of an instance may have together, at first or grown,
            as with `memory_pages`; and references that its element segments may hold together.
        translated_characters: characters of Python that the translator may write for one function
            of the module, before its first call. The default takes half a second and 64 MiB;
            compilers' code becomes four or five characters for each of its bytes.
        output_bytes: bytes of the longest string that is read from a plugin, or given to it by a
            host function on strings.

    Raises:
        ValueError: a limit is negative or not an int; `timeout` may also be a finite float.
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
        """Refuse what is over a limit.

        Args:
            limit: the name of the limit.
            requested: in its unit.

        Raises:
            ResourceLimitError: `requested` is more than the limit allows.
        """
        allowed = getattr(self, limit)
        if allowed is not None and requested > allowed:
            raise ResourceLimitError(limit, requested, allowed)


#: Bytes and table elements for which an instruction that moves many of them pays a unit of fuel.
BYTES_PER_UNIT = 4096
ELEMENTS_PER_UNIT = 1024

#: Units between two checks of the limits in such an instruction: 1 MiB, less than a millisecond.
_UNITS_PER_PIECE = 256

#: A function that uses so many units of fuel, or raises the trap that ends the call.
Spend = Callable[[int], None]


def pieces(
    size: int, per_unit: int, spend: Spend | None, *, backwards: bool = False
) -> Iterator[tuple[int, int]]:
    """Divide the work of one instruction into pieces, and pay for each before it is done.

    Args:
        size: the whole, in bytes or elements.
        per_unit: how much of it costs a unit of fuel.
        spend: pays for a piece; None where the host itself does the work.
        backwards: whether the last piece comes first.

    Yields:
        The start and the end of each piece.
    """
    starts = range(0, size, per_unit * _UNITS_PER_PIECE)
    for start in reversed(starts) if backwards else starts:
        end = min(start + starts.step, size)
        if spend is not None:
            spend((end - start + per_unit - 1) // per_unit)
        yield start, end


class Operation:
    """A group of calls that share one deadline and are cancelled together.

    Attributes:
        deadline: the time by the monotonic clock at which all of them must have ended; None for no
            deadline.
        cancelled: whether `cancel` was called.
    """

    __slots__ = ("_budget", "_kept", "cancelled", "deadline")

    def __init__(self, timeout: float | None) -> None:
        """Begin.

        Args:
            timeout: seconds from now on that all calls together may take; None for any number.
        """
        self.deadline = None if timeout is None else monotonic() + timeout
        self.cancelled = False
        self._budget: Budget | None = None
        self._kept = 0

    def include(self, budget: Budget) -> None:
        """Make the calls that a budget meters parts of this operation.

        They are until `end`, or until another budget is included.
        """
        budget.operation = self
        self._budget = budget
        # `cancel` may have been called before the budget was known.
        if self.cancelled:
            budget.recheck_limits()

    def end(self) -> None:
        """Leave the next call of the instance to itself again."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.operation = None

    def cancel(self) -> None:
        """Make the running call trap at its next function entry or loop start, else the next call.

        Any thread may call it. After the end it does nothing.
        """
        self.cancelled = True
        budget = self._budget
        if budget is not None:
            budget.recheck_limits()

    def keep_fuel(self) -> None:
        """Keep the fuel that the call has used: after the end, `fuel_used` returns it."""
        if self._budget is not None:
            self._kept = self._budget.fuel_used

    def fuel_used(self) -> int:
        """Return the fuel that the running call has used, or what was kept. Any thread may ask."""
        budget = self._budget
        return self._kept if budget is None else budget.fuel_used

    def check(self) -> None:
        """Check, between two calls, whether another one may begin.

        Raises:
            DeadlineExceeded, Cancelled
        """
        if self.cancelled:
            raise Cancelled
        if self.deadline is not None and monotonic() >= self.deadline:
            raise DeadlineExceeded


class CallLimits(Protocol):
    """The limits that a budget checks; those of `ResourceLimits` do not change."""

    @property
    def fuel(self) -> int | None:
        """Units that the running call may use, with those that it has used."""

    @property
    def timeout(self) -> float | None:
        """Seconds that a call may take."""


class Budget:
    """The meter of an instance's running call: what it has used of its limits.

    A call from outside starts a new budget; a call that a host function makes back into the same
    instance goes on with the budget of the call it is part of.
    """

    #: Calls of an instance that may be nested in each other through host functions or other
    #: instances: each takes several frames of the Python stack.
    NESTING = 64

    #: Units of fuel between two checks of the clock.
    _PERIOD = 64

    def __init__(self, limits: ResourceLimits) -> None:
        self.limits: CallLimits = limits
        #: Called at intervals during a call with the fuel that it has used.
        self.progress: Callable[[int], None] | None = None
        #: The operation that the calls from outside are parts of; None where each is alone.
        self.operation: Operation | None = None
        self.nesting = 0
        self.fuel_used = 0
        self._next_check = 0
        self.deadline: float | None = None
        self.cancel_requested = False
        #: The trap that has ended the running call. It is raised again where the call goes on all
        #: the same, because a host function caught it.
        self.pending_trap: Trap | None = None

    def enter(self) -> None:
        """Begin a call from outside the instance.

        Raises:
            Trap: calls are nested too deep, or the call that this one is part of has already been
                ended by a limit.
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
        """End the call that `enter` began."""
        self.nesting -= 1

    @property
    def cancelled(self) -> bool:
        """Whether the running call was cancelled, by itself or with its operation."""
        operation = self.operation
        return self.cancel_requested or (operation is not None and operation.cancelled)

    def cancel(self) -> None:
        """Make the running call trap soon.

        It does where it next enters a function or starts a loop, or where a host function returns.
        """
        self.cancel_requested = True
        self.recheck_limits()

    def recheck_limits(self) -> None:
        """Have the limits checked before the next unit of fuel. Any thread may call it."""
        self._next_check = 0

    def spend(self, units: int = 1) -> None:
        """Use units of fuel, and check the limits every 64 of them.

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
        """Raise the pending trap again: a host function that caught it must not hide it.

        Raises:
            OutOfFuel, DeadlineExceeded, Cancelled
        """
        if self.pending_trap is not None:
            raise self.pending_trap.with_frames(())

    def check_limits(self, units: int = 0, seconds: float = 0.0) -> None:
        """Check all limits.

        Args:
            units: of fuel that are about to be used. Where so many are not left, all are used.
            seconds: that will pass until the limits can be checked again.

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
        """Check the clock, after what may have taken long.

        Args:
            seconds: that will pass until it can be checked again.

        Raises:
            DeadlineExceeded
        """
        if self.deadline is not None and monotonic() + seconds >= self.deadline:
            self.pending_trap = DeadlineExceeded()
            self.check()
