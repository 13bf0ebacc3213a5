"""Whether the machine is to stand still: what is asked before each instruction of interest.

A `Watcher` sits behind a machine's clock. It keeps the breakpoints and watchpoints, marks the
instructions that they could concern, and notes the stops that it comes by. The moves of a session
are made of three ways to run with it: stop at what it finds, pass over it, or only remember the
last of it, which is how one searches backwards.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger import effects
from purewasm_plugins.debugger.expressions import Expression, Scope
from purewasm_plugins.debugger.machine import DebugLinked, Paused
from purewasm_plugins.debugger.program import Location
from purewasm_plugins.debugger.stops import Breakpoint, Watchpoint, Write
from purewasm_plugins.engine.reference.interpreter import raw_value
from purewasm_plugins.errors import ExpressionError
from purewasm_plugins.runtime.values import FROM_RAW


class Mode(enum.Enum):
    """What to do about a stop that is found."""

    STOP = enum.auto()
    PASS = enum.auto()
    SEARCH = enum.auto()


@dataclass(frozen=True, slots=True)
class Found:
    """A reason to stop.

    Attributes:
        step: where: before this instruction.
        breakpoint, watchpoint, write: which; all None for a landing and for a host call.
        host_call: it is one of a host function.
        error: what was wrong with the condition.
    """

    step: int
    breakpoint: Breakpoint | None = None
    watchpoint: Watchpoint | None = None
    write: Write | None = None
    host_call: bool = False
    error: ExpressionError | None = None


@dataclass(frozen=True, slots=True)
class Landing:
    """A place to stop at once, on the way out of or over a call.

    Attributes:
        location: the instruction.
        depth: how many functions must be active; None for any number.
    """

    location: Location
    depth: int | None


@dataclass(slots=True)
class _Pending:
    """A watched place that the instruction which is running may write."""

    watchpoint: Watchpoint
    write_step: int
    instruction: Any
    address: int
    old: Any
    read: Callable[[], Any]
    certain: bool


class Watcher:
    """See the module.

    Attributes:
        mode: what to do about a stop that is found.
        target: the step to stand still before, whatever is there.
        interrupted: somebody wants the machine to stand still as soon as possible.
        found: the last reason to stop that was found.
        stop_at_host_calls: whether a call of an imported function is one.
        scope: makes what conditions are evaluated in.
        breakpoints, watchpoints: by number.
    """

    def __init__(self, linked: DebugLinked, scope: Callable[[], Scope]) -> None:
        self.mode = Mode.PASS
        self.target: float = math.inf
        self.interrupted = False
        self.found: Found | None = None
        self.stop_at_host_calls = False
        self.scope = scope
        self.breakpoints: dict[int, Breakpoint] = {}
        self.watchpoints: dict[int, Watchpoint] = {}
        self._linked = linked
        self._clock = linked.clock
        self._landing: Landing | None = None
        self._resumed: int | None = None
        self._pending: list[_Pending] = []
        linked.clock.visit = self._visit
        linked.built = self._mark

    def prepare(self, mode: Mode, target: float, *, landing: Landing | None = None) -> None:
        """Say how the machine is going to run.

        Args:
            mode: what to do about stops.
            target: the step to stand still before.
            landing: one more place to stop at, in the mode STOP or SEARCH.
        """
        self.mode, self.target = mode, target
        self.found = None
        for changed in (self._landing, landing):
            self._landing = landing
            if changed is not None:
                self.mark(changed.location.function)

    def start(self) -> None:
        """The machine is about to run on from where it stands."""
        # The place itself has been looked at when the machine came to it, unless by a search.
        self._resumed = self._clock.step if self.mode is Mode.STOP else None
        self._pending.clear()
        self._clock.until = self._clock.step

    @property
    def wants_something(self) -> bool:
        """Whether there is anything to stop for."""
        return bool(self.breakpoints or self.watchpoints or self.stop_at_host_calls)

    def interrupt(self) -> None:
        """Make the machine stand still before its next instruction; for a signal handler."""
        self.interrupted = True
        self._clock.until = -1

    @contextmanager
    def only(self, watchpoint: Watchpoint | None) -> Iterator[None]:
        """Look for writes to this, and for nothing else."""
        kept = self.breakpoints, self.watchpoints, self.stop_at_host_calls
        self.breakpoints = {}
        self.watchpoints = {} if watchpoint is None else {0: watchpoint}
        self.stop_at_host_calls = False
        self.mark_all()
        try:
            yield
        finally:
            self.breakpoints, self.watchpoints, self.stop_at_host_calls = kept
            self.mark_all()

    def mark(self, function: int) -> None:
        """Mark a function anew, after a change of the breakpoints in it."""
        self._mark(self._linked.bodies.get(function, ()))

    def mark_all(self) -> None:
        """Mark anew, after a change of what there is to stop at."""
        for body in self._linked.bodies.values():
            self._mark(body)

    def _mark(self, body: Iterable[Any]) -> None:
        """Mark the instructions of a function that are to be visited."""
        points: dict[Location, list[Breakpoint]] = {}
        for point in self.breakpoints.values():
            points.setdefault(point.location, []).append(point)
        kinds = {watchpoint.kind for watchpoint in self.watchpoints.values()}
        landing = None if self._landing is None else self._landing.location
        for instruction in body:
            source = instruction.instruction
            location = Location(instruction.function, source.offset)
            instruction.breakpoints = tuple(points.get(location, ()))
            mnemonic = source.opcode.mnemonic
            calls = effects.calls(source.opcode)
            instruction.watched = bool(
                instruction.breakpoints
                or location == landing
                or (calls and (kinds - {"local"} or self.stop_at_host_calls))
                or ("memory" in kinds and effects.writes_memory(source.opcode))
                or ("global" in kinds and mnemonic == "global.set")
                or ("local" in kinds and mnemonic in ("local.set", "local.tee"))
            )

    def _visit(self, instruction: Any) -> None:
        """See `Clock.visit`."""
        clock = self._clock
        step = clock.step
        if self._pending:
            self._settle()
        if step != self._resumed:
            if instruction.breakpoints:
                self._arrive(instruction, step)
            if self.stop_at_host_calls and self._is_host_call(instruction):
                self._note(Found(step, host_call=True))
            if self._landing is not None and self._lands(instruction):
                self._note(Found(step))
        if step >= self.target or self.interrupted:
            raise Paused
        if self.found is not None and self.mode is Mode.STOP:
            raise Paused
        if self.watchpoints and instruction.watched:
            self._expect(instruction, step)
        clock.until = step + 1 if self._pending else self.target
        if self.interrupted:
            clock.until = -1

    def _note(self, found: Found) -> None:
        if self.mode is Mode.STOP:
            # The first reason at a place is the one to tell; later ones are at the same place.
            self.found = self.found or found
        elif self.mode is Mode.SEARCH and found.step < self.target:
            self.found = found

    def _lands(self, instruction: Any) -> bool:
        landing = self._landing
        if landing is None or instruction.instruction.offset != landing.location.offset:
            return False
        depth = len(self._linked.machine.stack.frame) - 1
        return landing.depth is None or depth == landing.depth

    def _is_host_call(self, instruction: Any) -> bool:
        source = instruction.instruction
        if source.opcode.mnemonic == "call":
            first: int = self._linked.instance.module.module.imported_functions
            return bool(source.immediates[0] < first)
        if source.opcode.mnemonic == "call_indirect":
            elements = self._linked.instance.tables[source.immediates[1]].elements
            index = self._linked.machine.stack.value[-1].into_u32()
            callee = elements[index] if index < len(elements) else None
            return callee is not None and callee.instance is not self._linked.instance
        return False

    def _arrive(self, instruction: Any, step: int) -> None:
        for point in instruction.breakpoints:
            fits, error = self._holds(point.condition)
            if fits and point.counts(step):
                self._note(Found(step, breakpoint=point, error=error))

    def _holds(self, condition: Expression | None) -> tuple[bool, ExpressionError | None]:
        """Whether a condition is true; one that fails is, with its error."""
        if condition is None:
            return True, None
        try:
            return bool(condition.evaluate(self.scope())), None
        except ExpressionError as error:
            return True, error

    # Watchpoints

    def _expect(self, instruction: Any, step: int) -> None:
        """Note what the watched places hold that an instruction may write."""
        source = instruction.instruction
        mnemonic = source.opcode.mnemonic
        for watchpoint in self.watchpoints.values():
            match watchpoint.kind:
                case "memory":
                    self._expect_memory(watchpoint, instruction, step)
                case "global" if mnemonic == "global.set":
                    if source.immediates[0] == watchpoint.index:
                        self._expect_global(watchpoint, instruction, step, certain=True)
                case "global" if self._is_host_call(instruction):
                    self._expect_global(watchpoint, instruction, step, certain=False)
                case "local" if mnemonic in ("local.set", "local.tee"):
                    fits = (instruction.function, source.immediates[0])
                    if fits == (watchpoint.function, watchpoint.index):
                        self._expect_local(watchpoint, instruction, step)

    def _expect_memory(self, watchpoint: Watchpoint, instruction: Any, step: int) -> None:
        memory = self._linked.instance.memories[0]
        start, end = watchpoint.start, watchpoint.start + watchpoint.size
        source = instruction.instruction
        certain = effects.writes_memory(source.opcode)
        if certain:
            for access in effects.memory_accesses(self._linked.machine, source):
                if access.is_write:
                    start = max(start, access.address)
                    end = min(end, access.address + access.size)
        elif not self._is_host_call(instruction):
            return
        if start < end:

            def read() -> bytes:
                return bytes(memory.raw[start:end])

            self._pend(watchpoint, instruction, step, start, read, certain=certain)

    def _expect_global(
        self, watchpoint: Watchpoint, instruction: Any, step: int, *, certain: bool
    ) -> None:
        cell = self._linked.instance.globals[watchpoint.index]

        def read() -> Any:
            return FROM_RAW[cell.type.value](cell.raw)

        self._pend(watchpoint, instruction, step, watchpoint.index, read, certain=certain)

    def _expect_local(self, watchpoint: Watchpoint, instruction: Any, step: int) -> None:
        stack = self._linked.machine.stack

        def read() -> Any:
            value = stack.frame[-1].locals.data[watchpoint.index]
            return FROM_RAW[value.type.data](raw_value(value))

        self._pend(watchpoint, instruction, step, watchpoint.index, read, certain=True)

    def _pend(
        self,
        watchpoint: Watchpoint,
        instruction: Any,
        step: int,
        address: int,
        read: Callable[[], Any],
        *,
        certain: bool,
    ) -> None:
        self._pending.append(
            _Pending(watchpoint, step, instruction, address, read(), read, certain)
        )

    def _settle(self) -> None:
        """The instruction has run: see what it wrote."""
        pending, self._pending = self._pending, []
        for expected in pending:
            watchpoint = expected.watchpoint
            new = expected.read()
            changed = _differ(expected.old, new)
            if not (changed or (watchpoint.every_write and expected.certain)):
                continue
            instruction = expected.instruction
            write = Write(
                expected.write_step,
                Location(instruction.function, instruction.instruction.offset),
                instruction.instruction,
                watchpoint.kind,
                expected.address,
                expected.old,
                new,
            )
            fits, error = self._holds(watchpoint.condition)
            if fits:
                # Backwards, one stops before the instruction that wrote.
                backwards = self.mode is Mode.SEARCH
                step = expected.write_step if backwards else self._clock.step
                self._note(Found(step, watchpoint=watchpoint, write=write, error=error))


def _differ(old: Any, new: Any) -> bool:
    """Whether two values differ; a NaN does not differ from itself, and 0.0 does from -0.0."""
    if isinstance(old, float):
        return repr(old) != repr(new)
    return bool(old != new)
