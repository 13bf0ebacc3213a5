"""A call that can be put at any of its steps: running, going back, searching.

The moves of a session are made of what is here. A place is a number of steps, and always the same
state: the machine is deterministic but for the results of calls out of it, which are recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from purewasm_plugins.debugger.machine import effects
from purewasm_plugins.debugger.machine.history import History
from purewasm_plugins.debugger.machine.program import Location, Program
from purewasm_plugins.debugger.machine.reasons import Stop, StopReason, Watchpoint
from purewasm_plugins.debugger.machine.recorder import Recorder
from purewasm_plugins.debugger.machine.scope import MachineScope, border
from purewasm_plugins.debugger.machine.snapshot import Snapshot, restore, take
from purewasm_plugins.debugger.machine.watcher import Found, Mode, Target, Watcher
from purewasm_plugins.engine.stepping import Paused, SteppableMachine
from purewasm_plugins.errors import Trap
from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.wasm import Instruction

#: Steps before the place that a move goes back to, where one more checkpoint is kept.
STRIDE = 400

_Result = TypeVar("_Result")


class Execution:
    """A call of a function, on a machine that is put at any step of it.

    Attributes:
        machine: the machine.
        program: the code as text, and its names.
        watcher: what there is to stop for.
        history: the way back.
        frontier: the latest step that has been reached.
        before: the place where the last move began.
        stop: where the machine stopped, and why.
    """

    def __init__(
        self,
        machine: SteppableMachine,
        function: int,
        arguments: tuple[Any, ...],
        history_bytes: int,
        *,
        isolated: bool,
    ) -> None:
        """Put the machine before the first instruction of a function.

        Args:
            machine: the machine.
            function: the index of a function that its module defines.
            arguments: raw values.
            history_bytes: memory that the history may take.
            isolated: whether nothing outside can reach what the instance holds.
        """
        self.machine = machine
        self.program = Program(machine.instance.module)
        self._clock = machine.clock
        self._clock.step = 0
        machine.instance.budget.fuel_used = 0
        machine.start(function, arguments)
        self.watcher = Watcher(machine, lambda: MachineScope(machine, self.program))
        first = take(machine, None)
        self.history = History(first, history_bytes)
        self._recorder = Recorder(machine, self.history, isolated=isolated)
        self.frontier = 0
        #: Its memory is that of the current place, if its step is.
        self._here = first
        self.before = first
        self.stop = self._stopped(StopReason.ENTRY)

    @property
    def step(self) -> int:
        """The number of instructions that have run."""
        return self._clock.step

    @property
    def finished(self) -> bool:
        """Whether the call has returned."""
        return self.machine.finished

    @property
    def depth(self) -> int:
        """The number of active functions."""
        return self.machine.depth

    @property
    def instruction(self) -> Instruction | None:
        """The next instruction; None where the call has finished."""
        position = self.machine.position
        return None if position is None else position.instruction

    def depart(self) -> Snapshot:
        """Begin a move, and return a snapshot of the place where it begins."""
        self.watcher.interrupted = False
        return self.take()

    def take(self) -> Snapshot:
        """Take a snapshot of the current place."""
        here = self._here
        self._here = take(self.machine, here, same_memory=here.step == self._clock.step)
        return self._here

    def aside(self, action: Callable[[], _Result]) -> _Result:
        """Return the result of an action that calls the instance, and undo its effects on it.

        What it runs counts no steps, stops nowhere, and is no part of the history.
        """
        here = self.take()
        try:
            return action()
        finally:
            self.rewind(here)

    # Moves

    def forward(
        self, last_step: float, target: Target | None = None, *, limit: bool = False
    ) -> Stop:
        """Run until there is a reason to stop.

        Args:
            last_step: the step to stop before if there is no other reason.
            target: one more place to stop at.
            limit: whether the user set the last step as a limit.
        """
        if self.finished or self.stop.trap is not None or self.stop.exception is not None:
            return self.stop
        start = self.depart()
        same_memory = last_step == start.step + 1 and not self._may_write()
        self.watcher.prepare(Mode.STOP, last_step, target=target)
        ending = self._run(last_step)
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
        """Run one instruction and note nothing about it: the quickest way to see many.

        Returns:
            The end of the call, if it came to that.
        """
        self.watcher.prepare(Mode.PASS, self._clock.step + 1)
        ending = self._run(self._clock.step + 1)
        self.before, self.stop = self._here, ending or self._stopped(StopReason.STEP)
        return ending

    def go(self, start: Snapshot, step: int) -> Stop:
        """Go to a step, without stopping before it.

        Args:
            start: where the move began.
            step: the step; one outside the history or the call leads to its start or end.
        """
        ending = self.travel(max(step, self.history.start))
        if self.watcher.interrupted:
            return self.give_up(start)
        if ending is not None:
            return self._ended(start, ending)
        return self.arrive(start, StopReason.STEP)

    def arrive(self, start: Snapshot, reason: StopReason, found: Found | None = None) -> Stop:
        """End a move at the current place."""
        self.watcher.interrupted = False
        if self.finished:
            return self._ended(start, self._finish())
        stop = self._stopped(reason)
        if found is not None:
            stop = _with_reason(stop, found)
        elif self._clock.step == self.history.start and reason is StopReason.STEP:
            stop = replace(stop, reason=StopReason.ENTRY)
        self.before, self.stop = start, stop
        return stop

    def give_up(self, start: Snapshot) -> Stop:
        """End a move that was interrupted, at the place where it began."""
        self.rewind(start)
        return self.arrive(start, StopReason.INTERRUPTED)

    def _ended(self, start: Snapshot, ending: Stop) -> Stop:
        """End a move at the end of the call."""
        self.watcher.interrupted = False
        self.before, self.stop = start, ending
        return ending

    # What moves are made of

    def rewind(self, snapshot: Snapshot) -> None:
        """Put the machine back to a snapshot."""
        restore(self.machine, snapshot)
        self._here = snapshot

    def advance(self, step: float) -> Stop | None:
        """Run forwards to a step; return the end of the call, if that comes first."""
        self.watcher.prepare(Mode.PASS, step)
        return self._run(step)

    def travel(self, step: int) -> Stop | None:
        """Go to a step, in either direction; return the end of the call, if that comes first."""
        near = self.history.before(step)
        if not near.step <= self._clock.step <= step:
            self.rewind(near)
            if step - near.step > 2 * STRIDE and self.advance(step - STRIDE) is None:
                # A step back is often followed by another, which is shorter with this checkpoint.
                self.history.add(take(self.machine, near))
        return self.advance(step)

    def search(self, target: Target | None = None, limit: int | None = None) -> Found | None:
        """Find the last reason to stop before this place.

        The history is searched from its end, from checkpoint to checkpoint. Where something was
        found, the machine is left at any place; otherwise at the one where the search ended.

        Args:
            target: one more place to stop at.
            limit: steps after which to end the search at the next checkpoint.
        """
        end = self._clock.step
        least = self.history.start if limit is None else end - limit
        while end > max(self.history.start, least):
            checkpoint = self.history.before(end - 1)
            self.rewind(checkpoint)
            self.watcher.prepare(Mode.SEARCH, end, target=target)
            self._run(end)
            if self.watcher.found is not None or self.watcher.interrupted:
                return self.watcher.found
            self.rewind(checkpoint)
            end = checkpoint.step
        return None

    def search_write(self, watchpoint: Watchpoint) -> Found | None:
        """Find the last write to a place; other reasons to stop are ignored."""
        with self.watcher.only(watchpoint):
            return self.search()

    def search_back(self, target: Target | None, limit: int | None) -> Found | None:
        """Find the last time that the machine was at a target; without one, the last reason."""
        if target is None:
            return self.search(None, limit)
        with self.watcher.only(None):
            return self.search(target, limit)

    def return_site(self, depth: int) -> Target:
        """Return the instruction where a function continues when the one that it calls returns.

        Args:
            depth: the function's, with the functions below it; it has called, or is about to.
        """
        # A call is never a function's last instruction: there is an `end` behind it.
        call = self.call_site(depth)
        return Target(self.program.following(call.location), depth)

    def call_site(self, depth: int) -> Target:
        """Return the call that a function waits for, or is about to make."""
        position = self.machine.frame(depth - 1).position
        return Target(Location(position.function, position.instruction.offset), depth)

    def _may_write(self) -> bool:
        """Tell whether the next instruction may change memory."""
        instruction = self.instruction
        if instruction is None:
            return True
        opcode = instruction.opcode
        return (
            effects.writes_memory(opcode)
            or effects.calls(opcode)
            or opcode.mnemonic == "memory.grow"
        )

    def _run(self, last_step: float) -> Stop | None:
        """Run as the watcher was prepared to, adding checkpoints; return the end, if reached."""
        watcher, clock = self.watcher, self._clock
        while clock.step < last_step and not self.finished:
            memory = sum(len(memory.raw) for memory in self.machine.instance.memories)
            due = self.history.due(clock.step, memory)
            watcher.last_step = min(last_step, due)
            ending = self._evaluate()
            self.frontier = max(self.frontier, clock.step)
            if ending is not None:
                return ending
            if clock.step == due:
                self.history.add(take(self.machine, self.history.before(due)))
            if watcher.interrupted or (watcher.mode is Mode.STOP and watcher.found is not None):
                return None
        return None

    def _evaluate(self) -> Stop | None:
        """Run the machine until it pauses; return the end of the call, if it came to that."""
        self.watcher.start()
        try:
            self.machine.run()
        except Paused:
            return None
        except Trap as trap:
            return self._failed(trap, None)
        except HostException as carrier:
            return self._failed(None, carrier.exception)
        except BaseException:
            # Most likely Ctrl-C in the middle of an instruction: return to the place before it.
            self._rewind_to(max(self._clock.step - 1, self.history.start))
            raise
        return self._finish()

    def _finish(self) -> Stop:
        """Make the stop at the end of the call."""
        results = tuple(map(border, self.machine.operands()))
        return replace(self._stopped(StopReason.FINISHED), results=results)

    def _failed(self, trap: Trap | None, exception: BaseException | None) -> Stop:
        """Return to the place before an instruction that trapped, and make the stop there."""
        found = self.watcher.found
        self._rewind_to(self._clock.step - 1)
        self.watcher.found = found
        reason = StopReason.HOST_CALL if trap is None else StopReason.TRAP
        return replace(self._stopped(reason), trap=trap, exception=exception)

    def _rewind_to(self, step: int) -> None:
        self.frontier = max(self.frontier, step)
        self.rewind(self.history.before(step))
        self.advance(step)

    def _stopped(self, reason: StopReason) -> Stop:
        """Make a stop at the current place."""
        position = self.machine.position
        if position is None:
            return Stop(reason, self._clock.step, None, None, None)
        instruction = position.instruction
        return Stop(reason, self._clock.step, position.function, instruction.offset, instruction)


def _with_reason(stop: Stop, found: Found) -> Stop:
    """Add the reason that was found to a stop, and count it."""
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
