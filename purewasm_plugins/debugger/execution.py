"""A call that can be put at any of its steps: running, going back, searching.

The ways to move that a session offers are made of what is here. A place is a number of steps, and
always the same state: the machine is deterministic but for the answers of the world outside, which
are recorded.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from purewasm_plugins.debugger import effects, views
from purewasm_plugins.debugger.history import History
from purewasm_plugins.debugger.machine import DebugLinked, Paused
from purewasm_plugins.debugger.program import Location, Program
from purewasm_plugins.debugger.recorder import Recorder
from purewasm_plugins.debugger.snapshot import Snapshot, restore, take
from purewasm_plugins.debugger.stops import Stop, StopReason, Watchpoint
from purewasm_plugins.debugger.watcher import Found, Landing, Mode, Watcher
from purewasm_plugins.engine.reference.interpreter import PYWASM_ERRORS, pop_results, trap_in
from purewasm_plugins.errors import Trap, TrapReason
from purewasm_plugins.runtime.instance import Function, HostException
from purewasm_plugins.runtime.values import FROM_RAW

#: Steps before the place one goes back to, where one more checkpoint is kept.
STRIDE = 400


class Execution:
    """See the module.

    Attributes:
        linked: the machine.
        program: the code as text, and its names.
        watcher: what there is to stop for.
        history: the way back.
        frontier: the latest step that has been reached.
        before: the place where the last move began.
        stop: where the machine stands, and why.
    """

    def __init__(
        self,
        linked: DebugLinked,
        function: Function,
        arguments: tuple[Any, ...],
        history_bytes: int,
        *,
        isolated: bool,
    ) -> None:
        """Stand before the first instruction of a function.

        Args:
            linked: the machine.
            function: one that its module defines.
            arguments: raw values.
            history_bytes: what the history may take.
            isolated: whether nothing outside can reach what the instance holds.
        """
        self.linked = linked
        self.program = Program(linked.instance.module)
        self._function = function
        self._clock = linked.clock
        self._clock.step = 0
        linked.meter.fuel_used = 0
        linked.start_call(function.index or 0, arguments)
        self.watcher = Watcher(linked, lambda: views.scope(linked, self.program))
        first = take(linked, None)
        self.history = History(first, history_bytes)
        self._recorder = Recorder(linked, self.history, isolated=isolated)
        self.frontier = 0
        #: Its memory is that of the place where the machine stands, if its step is.
        self._here = first
        self.before = first
        self.stop = self._stopped(StopReason.ENTRY)

    @property
    def step(self) -> int:
        """How many instructions have run."""
        return self._clock.step

    @property
    def finished(self) -> bool:
        """Whether the machine stands behind the last instruction of the call."""
        return not self.linked.machine.stack.label

    @property
    def depth(self) -> int:
        """How many functions are active."""
        return len(self.linked.machine.stack.frame) - 1

    def depart(self) -> Snapshot:
        """The place where the machine stands, at the beginning of a move."""
        self.watcher.interrupted = False
        return self.take()

    def take(self) -> Snapshot:
        """A snapshot of the place where the machine stands."""
        here = self._here
        self._here = take(self.linked, here, same_memory=here.step == self._clock.step)
        return self._here

    # Moves

    def forward(
        self, target: float, landing: Landing | None = None, *, limit: bool = False
    ) -> Stop:
        """Run until there is a reason to stop.

        Args:
            target: the step to stop before if there is no other.
            landing: one more place to stop at.
            limit: whether the target is one that the user set.
        """
        if self.finished or self.stop.trap is not None or self.stop.exception is not None:
            return self.stop
        start = self.depart()
        same_memory = target == start.step + 1 and not self._may_write()
        self.watcher.prepare(Mode.STOP, target, landing=landing)
        ending = self._run(target)
        if same_memory and ending is None and self._clock.step == start.step + 1:
            self._here = replace(start, step=self._clock.step)
        found = self.watcher.found
        if ending is not None:
            return self._ended(start, ending)
        if found is None and self.watcher.interrupted:
            return self.arrive(start, StopReason.INTERRUPTED)
        reason = StopReason.LIMIT if limit and found is None else StopReason.STEP
        return self.arrive(start, reason, found)

    def tick(self) -> Stop | None:
        """Run one instruction and note nothing about it, for who wants to see many.

        Returns:
            The end, if it came to one.
        """
        self.watcher.prepare(Mode.PASS, self._clock.step + 1)
        ending = self._run(self._clock.step + 1)
        self.before, self.stop = self._here, ending or self._stopped(StopReason.STEP)
        return ending

    def go(self, start: Snapshot, step: int) -> Stop:
        """Go to a step, past whatever is in between.

        Args:
            start: where the move began.
            step: which one; one outside the history or the call leads to its start or end.
        """
        ending = self.travel(max(step, self.history.start))
        if self.watcher.interrupted:
            return self.give_up(start)
        if ending is not None:
            return self._ended(start, ending)
        return self.arrive(start, StopReason.STEP)

    def arrive(self, start: Snapshot, reason: StopReason, found: Found | None = None) -> Stop:
        """End a move where the machine stands."""
        self.watcher.interrupted = False
        if self.finished:
            return self._ended(start, self._finish())
        stop = self._stopped(reason)
        if found is not None:
            stop = _tell(stop, found)
        elif self._clock.step == self.history.start and reason is StopReason.STEP:
            stop = replace(stop, reason=StopReason.ENTRY)
        self.before, self.stop = start, stop
        return stop

    def give_up(self, start: Snapshot) -> Stop:
        """A move was interrupted: back to where it began."""
        self.rewind(start)
        return self.arrive(start, StopReason.INTERRUPTED)

    def _ended(self, start: Snapshot, ending: Stop) -> Stop:
        self.watcher.interrupted = False
        self.before, self.stop = start, ending
        return ending

    # What moves are made of

    def rewind(self, snapshot: Snapshot) -> None:
        """Put the machine where it was when a snapshot was taken."""
        restore(self.linked, snapshot)
        self._here = snapshot

    def advance(self, step: float) -> Stop | None:
        """Run forwards to a step, past whatever there is; the end, if that comes first."""
        self.watcher.prepare(Mode.PASS, step)
        return self._run(step)

    def travel(self, step: int) -> Stop | None:
        """Go to a step, in either direction; the end, if that comes first."""
        near = self.history.before(step)
        if not near.step <= self._clock.step <= step:
            self.rewind(near)
            if step - near.step > 2 * STRIDE and self.advance(step - STRIDE) is None:
                # Who goes back one step often goes back another: that one need not go so far.
                self.history.add(take(self.linked, near))
        return self.advance(step)

    def search(self, landing: Landing | None = None, limit: int | None = None) -> Found | None:
        """The last reason to stop before this place.

        The history is gone through from its end, from checkpoint to checkpoint. Where something was
        found, the machine is anywhere afterwards; otherwise it stands where the search ended.

        Args:
            landing: one more place to stop at.
            limit: steps after which to give up at the next checkpoint.
        """
        end = self._clock.step
        least = self.history.start if limit is None else end - limit
        while end > max(self.history.start, least):
            checkpoint = self.history.before(end - 1)
            self.rewind(checkpoint)
            self.watcher.prepare(Mode.SEARCH, end, landing=landing)
            self._run(end)
            if self.watcher.found is not None or self.watcher.interrupted:
                return self.watcher.found
            self.rewind(checkpoint)
            end = checkpoint.step
        return None

    def search_write(self, watchpoint: Watchpoint) -> Found | None:
        """The last write to a place, whatever else there is to stop for."""
        with self.watcher.only(watchpoint):
            return self.search()

    def search_back(self, landing: Landing | None, limit: int | None) -> Found | None:
        """The last time that the machine stood at a place; without one, the last reason to stop."""
        if landing is None:
            return self.search(None, limit)
        with self.watcher.only(None):
            return self.search(landing, limit)

    def return_site(self, depth: int) -> Landing:
        """Where a function goes on when the one that it calls returns.

        Args:
            depth: of the function; it has called, or is about to.
        """
        stack = self.linked.machine.stack
        if depth == self.depth:
            label = stack.label[-1]
            index = label.index + 1
        else:
            label = stack.label[stack.frame[depth + 1].label - 1]
            index = label.index
        # A call is never the last of a list: there is an `end` behind it.
        following = list.__getitem__(label.instr, index)
        return Landing(Location(following.function, following.instruction.offset), depth)

    def call_site(self, depth: int) -> Landing:
        """The call that a function waits for."""
        stack = self.linked.machine.stack
        label = stack.label[stack.frame[depth + 1].label - 1]
        call = list.__getitem__(label.instr, label.index - 1)
        return Landing(Location(call.function, call.instruction.offset), depth)

    def _may_write(self) -> bool:
        """Whether the next instruction may change memory."""
        instruction = views.instruction_at(self.linked)
        if instruction is None:
            return True
        opcode = instruction.opcode
        return (
            effects.writes_memory(opcode)
            or effects.calls(opcode)
            or opcode.mnemonic == "memory.grow"
        )

    def _run(self, target: float) -> Stop | None:
        """Run as the watcher was prepared to, with checkpoints on the way; the end, if reached."""
        watcher, clock = self.watcher, self._clock
        while clock.step < target and not self.finished:
            memory = sum(len(memory.raw) for memory in self.linked.instance.memories)
            due = self.history.due(clock.step, memory)
            watcher.target = min(target, due)
            ending = self._evaluate()
            self.frontier = max(self.frontier, clock.step)
            if ending is not None:
                return ending
            if clock.step == due:
                self.history.add(take(self.linked, self.history.before(due)))
            if watcher.interrupted or (watcher.mode is Mode.STOP and watcher.found is not None):
                return None
        return None

    def _evaluate(self) -> Stop | None:
        """Let the machine run; the end, if it came to one."""
        clock, meter = self._clock, self.linked.meter
        self.watcher.start()
        clock.live = meter.stepped = True
        meter.nesting += 1
        try:
            self.linked.machine.evaluate()
        except Paused:
            return None
        except Trap as trap:
            return self._failed(trap, None)
        except RecursionError:
            return self._failed(Trap(TrapReason.CALL_STACK_EXHAUSTED), None)
        except HostException as carrier:
            return self._failed(None, carrier.exception)
        except PYWASM_ERRORS as error:
            return self._failed(error, None)
        except BaseException:
            # Ctrl-C, most likely, in the middle of an instruction: back to before it.
            clock.live = False
            self._rewind_to(max(clock.step - 1, self.history.start))
            raise
        finally:
            clock.live = meter.stepped = False
            clock.until = math.inf
            meter.nesting -= 1
        return self._finish()

    def _finish(self) -> Stop:
        type = self._function.type
        raw = pop_results(self.linked.machine, type)
        values = raw if len(type.results) > 1 else (raw,) if type.results else ()
        results = tuple(FROM_RAW[t](v) for t, v in zip(type.results, values, strict=True))
        return replace(self._stopped(StopReason.FINISHED), results=results)

    def _failed(self, error: Exception | None, exception: BaseException | None) -> Stop:
        """The instruction that was running cannot be: stand before it again, and tell why."""
        clock, watcher = self._clock, self.watcher
        clock.live = False
        step = clock.step - 1
        trap: Trap | None = None
        if error is not None:
            trap = error if isinstance(error, Trap) else self.linked.trap_of(error)
            trap = trap_in(self.linked, trap)
        found = watcher.found
        self._rewind_to(step)
        watcher.found = found
        reason = StopReason.HOST_CALL if trap is None else StopReason.TRAP
        return replace(self._stopped(reason), trap=trap, exception=exception)

    def _rewind_to(self, step: int) -> None:
        self.frontier = max(self.frontier, step)
        self.rewind(self.history.before(step))
        self.advance(step)

    def _stopped(self, reason: StopReason) -> Stop:
        instruction = views.next_instruction(self.linked)
        if instruction is None:
            return Stop(reason, self._clock.step, None, None, None)
        source = instruction.instruction
        return Stop(reason, self._clock.step, instruction.function, source.offset, source)


def _tell(stop: Stop, found: Found) -> Stop:
    """A stop with the reason that was found for it."""
    if found.breakpoint is not None:
        found.breakpoint.hits += 1
        reason = StopReason.BREAKPOINT
    elif found.watchpoint is not None:
        found.watchpoint.hits += 1
        reason = StopReason.WATCHPOINT
    else:
        reason = StopReason.HOST_CALL if found.host_call else StopReason.STEP
    return replace(
        stop,
        reason=reason,
        breakpoint=found.breakpoint,
        watchpoint=found.watchpoint,
        write=found.write,
        error=found.error,
    )
