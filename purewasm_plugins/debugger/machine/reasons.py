"""The reasons to stop: breakpoints, watchpoints and stops, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from purewasm_plugins.debugger.errors import ExpressionError
from purewasm_plugins.debugger.expressions import Expression
from purewasm_plugins.debugger.machine.program import Location
from purewasm_plugins.errors import Trap
from purewasm_plugins.wasm import Instruction


class StopReason(enum.Enum):
    """The reason for which the machine stopped."""

    ENTRY = "entry"
    STEP = "step"
    BREAKPOINT = "breakpoint"
    WATCHPOINT = "watchpoint"
    TRAP = "trap"
    HOST_CALL = "host call"
    FINISHED = "finished"
    LIMIT = "limit"
    INTERRUPTED = "interrupted"

    def __str__(self) -> str:
        return self.value


@dataclass(slots=True)
class Breakpoint:
    """An instruction before which to stop.

    Attributes:
        number: identifies it among breakpoints and watchpoints.
        location: the instruction.
        condition: it stops only where this is true.
        hit_count: the first arrival to stop at, counted from the start of the call; an arrival
            where the condition is false does not count.
        hits: how often it has stopped the session.
    """

    number: int
    location: Location
    condition: Expression | None = None
    hit_count: int = 1
    hits: int = 0
    #: The steps of the first `hit_count` arrivals, as far as they are known.
    arrivals: list[int] = field(default_factory=list, repr=False)

    def counts(self, step: int) -> bool:
        """Note an arrival, and tell whether to stop at it."""
        if self.hit_count <= 1:
            return True
        if len(self.arrivals) < self.hit_count and (not self.arrivals or step > self.arrivals[-1]):
            self.arrivals.append(step)
        return len(self.arrivals) == self.hit_count and step >= self.arrivals[-1]


@dataclass(slots=True)
class Watchpoint:
    """A place in memory, a global or a local, after whose writes to stop.

    Attributes:
        number: identifies it among breakpoints and watchpoints.
        kind: "memory", "global" or "local".
        start, size: of memory, in bytes.
        index: of the global or local.
        function: of the local; every activation of the function is watched.
        every_write: whether a write of the value that is there already counts too.
        condition: it stops only where this is true, after the write.
        hits: how often it has stopped the session.
    """

    number: int
    kind: str
    start: int = 0
    size: int = 0
    index: int = 0
    function: int = 0
    every_write: bool = False
    condition: Expression | None = None
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """A write to a watched place, or the last write to a byte.

    Attributes:
        step: the step of the instruction that wrote.
        location: where that instruction is.
        instruction: the instruction.
        kind: "memory", "global" or "local".
        address: of the first byte, for memory; else the index.
        old, new: bytes, for memory; else the values.
    """

    step: int
    location: Location
    instruction: Instruction
    kind: str
    address: int
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Stop:
    """The place where the machine stopped, and the reason.

    Attributes:
        reason: the reason.
        step: the number of instructions that have run.
        function: the index of the current function; None where the call has finished.
        offset: byte offset in the module of the next instruction.
        instruction: that instruction.
        breakpoint: the one that stopped it.
        watchpoint, write: the one that stopped it, and what was written.
        error: why its condition could not be evaluated.
        trap: the trap that the next instruction ends in. The state is the one before it.
        exception: what the host function raised that the next instruction calls.
        results: the results of the call, where it has finished.
    """

    reason: StopReason
    step: int
    function: int | None
    offset: int | None
    instruction: Instruction | None
    breakpoint: Breakpoint | None = None
    watchpoint: Watchpoint | None = None
    write: Write | None = None
    error: ExpressionError | None = None
    trap: Trap | None = None
    exception: BaseException | None = None
    results: tuple[Any, ...] | None = None
