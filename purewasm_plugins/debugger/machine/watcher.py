"""The decision whether to stop before an instruction.

A `Watcher` is the visitor of a machine's clock. It keeps the breakpoints and watchpoints, has the
clock visit the instructions that they could concern, and notes the reasons to stop. There are three
ways to run with it: stop at a reason, pass over it, or note the last one, which is how a session
searches backwards.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.errors import ExpressionError
from purewasm_plugins.debugger.expressions import Expression, Scope
from purewasm_plugins.debugger.machine import effects
from purewasm_plugins.debugger.machine.program import Location
from purewasm_plugins.debugger.machine.reasons import Breakpoint, Watchpoint, Write
from purewasm_plugins.debugger.machine.scope import border
from purewasm_plugins.debugger.memory import memory_bytes
from purewasm_plugins.engine.stepping import Paused, Position, SteppableMachine


class Mode(enum.Enum):
    """The way to run: what to do at a reason to stop."""

    STOP = enum.auto()
    PASS = enum.auto()
    SEARCH = enum.auto()


@dataclass(frozen=True, slots=True)
class Found:
    """A reason to stop.

    Attributes:
        step: the step before which to stop.
        breakpoint, watchpoint, write: the reason; all None for a target and for a host call.
        host_call: whether the reason is a call of a host function.
        error: why the condition could not be evaluated.
    """

    step: int
    breakpoint: Breakpoint | None = None
    watchpoint: Watchpoint | None = None
    write: Write | None = None
    host_call: bool = False
    error: ExpressionError | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """An instruction at which one move ends, such as the one behind a call.

    Attributes:
        location: the instruction.
        depth: the number of functions that must be active; None for any number.
    """

    location: Location
    depth: int | None


@dataclass(slots=True)
class _PendingWrite:
    """A watched place that the running instruction may write.

    Attributes:
        watchpoint: the one that watches it.
        step, position: of the instruction.
        address: of the first byte, for memory; else the index.
        old: the value before the instruction.
        read: reads the value again.
        certain: whether the instruction writes there if it does not trap.
    """

    watchpoint: Watchpoint
    step: int
    position: Position
    address: int
    old: Any
    read: Callable[[], Any]
    certain: bool


class Watcher:
    """The visitor of a machine's clock.

    Attributes:
        mode: what to do at a reason to stop.
        last_step: the step to stop before in any case.
        interrupted: whether a stop as soon as possible was requested.
        found: the last reason to stop that was found.
        stop_at_host_calls: whether a call of an imported function is a reason to stop.
        scope: collects what conditions are evaluated in.
        breakpoints, watchpoints: by number.
    """

    def __init__(self, machine: SteppableMachine, scope: Callable[[], Scope]) -> None:
        self.mode = Mode.PASS
        self.last_step: float = math.inf
        self.interrupted = False
        self.found: Found | None = None
        self.stop_at_host_calls = False
        self.scope = scope
        self.breakpoints: dict[int, Breakpoint] = {}
        self.watchpoints: dict[int, Watchpoint] = {}
        self._machine = machine
        self._clock = machine.clock
        self._target: Target | None = None
        self._resumed: int | None = None
        self._pending: list[_PendingWrite] = []
        #: The breakpoints by the offset of their instruction, which is unique in the module.
        self._by_offset: dict[int, list[Breakpoint]] = {}
        machine.clock.visit = self._visit
        self.update()

    def prepare(self, mode: Mode, last_step: float, *, target: Target | None = None) -> None:
        """Set how the machine is going to run.

        Args:
            mode: what to do at a reason to stop.
            last_step: the step to stop before in any case.
            target: one more place to stop at, in the modes STOP and SEARCH.
        """
        self.mode, self.last_step = mode, last_step
        self.found = None
        former, self._target = self._target, target
        for changed in (former, target):
            if changed is not None:
                self.update(changed.location.function)

    def start(self) -> None:
        """Note that the machine is about to run from where it is."""
        # This place was examined when the machine came to it, except by a search.
        self._resumed = self._clock.step if self.mode is Mode.STOP else None
        self._pending.clear()
        self._clock.until = self._clock.step

    @property
    def has_reasons(self) -> bool:
        """Whether there is anything to stop for."""
        return bool(self.breakpoints or self.watchpoints or self.stop_at_host_calls)

    def interrupt(self) -> None:
        """Stop the machine before its next instruction; a signal handler may call it."""
        self.interrupted = True
        self._clock.until = -1

    @contextmanager
    def only(self, watchpoint: Watchpoint | None) -> Iterator[None]:
        """Replace all breakpoints and watchpoints by one watchpoint, or by none."""
        kept = self.breakpoints, self.watchpoints, self.stop_at_host_calls
        self.breakpoints = {}
        self.watchpoints = {} if watchpoint is None else {0: watchpoint}
        self.stop_at_host_calls = False
        self.update()
        try:
            yield
        finally:
            self.breakpoints, self.watchpoints, self.stop_at_host_calls = kept
            self.update()

    def update(self, function: int | None = None) -> None:
        """Have the clock visit what there now is to stop for.

        Args:
            function: the one function that a change concerns; None for all.
        """
        self._by_offset = {}
        for point in self.breakpoints.values():
            self._by_offset.setdefault(point.location.offset, []).append(point)
        self._machine.visit_where(self._wanted(), function)

    def _wanted(self) -> Callable[[Position], bool]:
        """Make the condition for which instructions are visited."""
        offsets = {*self._by_offset}
        if self._target is not None:
            offsets.add(self._target.location.offset)
        kinds = {watchpoint.kind for watchpoint in self.watchpoints.values()}
        mnemonics: set[str] = set()
        if kinds - {"local"} or self.stop_at_host_calls:
            mnemonics |= {"call", "call_indirect"}
        if "global" in kinds:
            mnemonics.add("global.set")
        if "local" in kinds:
            mnemonics |= {"local.set", "local.tee"}
        memory = "memory" in kinds

        def wanted(position: Position) -> bool:
            instruction = position.instruction
            opcode = instruction.opcode
            return (
                instruction.offset in offsets
                or opcode.mnemonic in mnemonics
                or (memory and effects.writes_memory(opcode))
            )

        return wanted

    def _visit(self, position: Position) -> None:
        """Examine an instruction that is about to run; see `Clock.visit`."""
        clock = self._clock
        step = clock.step
        if self._pending:
            self._settle()
        if step != self._resumed:
            for point in self._by_offset.get(position.instruction.offset, ()):
                self._arrive(point, step)
            if self.stop_at_host_calls and self._is_host_call(position):
                self._note(Found(step, host_call=True))
            if self._target is not None and self._is_target(position, self._target):
                self._note(Found(step))
        if step >= self.last_step or self.interrupted:
            raise Paused
        if self.found is not None and self.mode is Mode.STOP:
            raise Paused
        if self.watchpoints:
            self._expect(position, step)
        clock.until = step + 1 if self._pending else self.last_step
        if self.interrupted:
            clock.until = -1

    def _note(self, found: Found) -> None:
        """Keep a reason to stop, depending on the mode."""
        if self.mode is Mode.STOP:
            # The first reason at a place is reported; the others are at the same place.
            self.found = self.found or found
        elif self.mode is Mode.SEARCH and found.step < self.last_step:
            self.found = found

    def _is_target(self, position: Position, target: Target) -> bool:
        if position.instruction.offset != target.location.offset:
            return False
        return target.depth is None or self._machine.depth == target.depth

    def _is_host_call(self, position: Position) -> bool:
        """Tell whether an instruction calls a function that the module does not define."""
        instruction, instance = position.instruction, self._machine.instance
        if instruction.opcode.mnemonic == "call":
            first: int = instance.module.module.imported_functions
            return bool(instruction.immediates[0] < first)
        if instruction.opcode.mnemonic == "call_indirect":
            elements = instance.tables[instruction.immediates[1]].elements
            (index,) = self._machine.top(1)
            callee = elements[index] if index < len(elements) else None
            return callee is not None and callee.instance is not instance
        return False

    def _arrive(self, point: Breakpoint, step: int) -> None:
        """Note a breakpoint, if its condition and its count allow it."""
        holds, error = self._holds(point.condition)
        if holds and point.counts(step):
            self._note(Found(step, breakpoint=point, error=error))

    def _holds(self, condition: Expression | None) -> tuple[bool, ExpressionError | None]:
        """Tell whether a condition is true; one that fails counts as true, with its error."""
        if condition is None:
            return True, None
        try:
            return bool(condition.evaluate(self.scope())), None
        except ExpressionError as error:
            return True, error

    # Watchpoints

    def _expect(self, position: Position, step: int) -> None:
        """Note the values of the watched places that an instruction may write."""
        instruction = position.instruction
        mnemonic = instruction.opcode.mnemonic
        for watchpoint in self.watchpoints.values():
            match watchpoint.kind:
                case "memory":
                    self._expect_memory(watchpoint, position, step)
                case "global" if mnemonic == "global.set":
                    if instruction.immediates[0] == watchpoint.index:
                        self._expect_global(watchpoint, position, step, certain=True)
                case "global" if self._is_host_call(position):
                    self._expect_global(watchpoint, position, step, certain=False)
                case "local" if mnemonic in ("local.set", "local.tee"):
                    written = (position.function, instruction.immediates[0])
                    if written == (watchpoint.function, watchpoint.index):
                        self._expect_local(watchpoint, position, step)

    def _expect_memory(self, watchpoint: Watchpoint, position: Position, step: int) -> None:
        start, end = watchpoint.start, watchpoint.start + watchpoint.size
        instruction = position.instruction
        certain = effects.writes_memory(instruction.opcode)
        if certain:
            for access in effects.memory_accesses(instruction, self._machine.top):
                if access.is_write:
                    start = max(start, access.address)
                    end = min(end, access.address + access.size)
        elif not self._is_host_call(position):
            return
        if start < end:
            data = memory_bytes(self._machine.instance)

            def read() -> bytes:
                return bytes(data[start:end])

            self._add_pending(watchpoint, position, step, start, read, certain=certain)

    def _expect_global(
        self, watchpoint: Watchpoint, position: Position, step: int, *, certain: bool
    ) -> None:
        cell = self._machine.instance.globals[watchpoint.index]
        self._add_pending(
            watchpoint, position, step, watchpoint.index, lambda: cell.value, certain=certain
        )

    def _expect_local(self, watchpoint: Watchpoint, position: Position, step: int) -> None:
        def read() -> Any:
            return border(self._machine.locals()[watchpoint.index])

        self._add_pending(watchpoint, position, step, watchpoint.index, read, certain=True)

    def _add_pending(
        self,
        watchpoint: Watchpoint,
        position: Position,
        step: int,
        address: int,
        read: Callable[[], Any],
        *,
        certain: bool,
    ) -> None:
        self._pending.append(
            _PendingWrite(watchpoint, step, position, address, read(), read, certain)
        )

    def _settle(self) -> None:
        """Examine what the instruction wrote, now that it has run."""
        pending, self._pending = self._pending, []
        for expected in pending:
            watchpoint = expected.watchpoint
            new = expected.read()
            changed = _differ(expected.old, new)
            if not (changed or (watchpoint.every_write and expected.certain)):
                continue
            instruction = expected.position.instruction
            write = Write(
                expected.step,
                Location(expected.position.function, instruction.offset),
                instruction,
                watchpoint.kind,
                expected.address,
                expected.old,
                new,
            )
            holds, error = self._holds(watchpoint.condition)
            if holds:
                # Backwards, a session stops before the instruction that wrote.
                backwards = self.mode is Mode.SEARCH
                step = expected.step if backwards else self._clock.step
                self._note(Found(step, watchpoint=watchpoint, write=write, error=error))


def _differ(old: Any, new: Any) -> bool:
    """Tell whether two values differ: a NaN equals itself, and 0.0 differs from -0.0."""
    if isinstance(old, float):
        return repr(old) != repr(new)
    return bool(old != new)
