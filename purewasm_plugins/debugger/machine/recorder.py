"""Recording and replaying what the module does not determine.

A host function may count, wait, or write to a disk. So when a session runs a step a second time,
the call is not made: its effects on the instance are restored from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from purewasm_plugins.debugger.machine.history import History, RecordedResult
from purewasm_plugins.debugger.machine.snapshot import PAGE
from purewasm_plugins.engine.stepping import SteppableMachine
from purewasm_plugins.errors import Trap
from purewasm_plugins.runtime.glue import HostException


class Recorder:
    """The `perform_call` and `perform_grow` of a machine, which record and replay results.

    Attributes:
        history: where the results are kept.
        isolated: whether nothing outside can reach what the instance holds.
    """

    def __init__(self, machine: SteppableMachine, history: History, *, isolated: bool) -> None:
        self._machine = machine
        self.history = history
        self.isolated = isolated
        machine.perform_call = self._call
        machine.perform_grow = self._grow

    def _known(self) -> RecordedResult | None:
        """Return the recorded result of the instruction that is running."""
        clock = self._machine.clock
        return self.history.results.get(clock.step - 1) if clock.live else None

    def _call(self, call: Callable[[], Any]) -> Any:
        """Call a function that the module does not define, or replay the call."""
        known = self._known()
        if known is not None:
            return self._replay(known)
        return self._record(call, isolated=self.isolated)

    def _grow(self, grow: Callable[[], int]) -> int:
        """Do a `memory.grow`, whose result depends on how much memory this computer has."""
        known = self._known()
        if known is None:
            former: int = self._record(grow, isolated=True)
        elif known.result is not None and known.result < 0:
            former = self._replay(known)
        else:
            # Nothing else makes the memory larger again.
            former = grow()
        return former

    def _record(self, action: Callable[[], Any], *, isolated: bool) -> Any:
        """Do what has no recorded result, and record it where the call is the debugged one."""
        clock, instance = self._machine.clock, self._machine.instance
        if not clock.live:
            return action()
        # The clock has counted the instruction that is running.
        step = clock.step - 1
        before = [] if isolated else [bytes(memory.raw) for memory in instance.memories]
        try:
            result = action()
        except (Trap, HostException) as error:
            self.history.record(step, self._recorded(None, error, before, isolated))
            raise
        self.history.record(step, self._recorded(result, None, before, isolated))
        return result

    def _recorded(
        self, result: Any, error: BaseException | None, before: list[bytes], isolated: bool
    ) -> RecordedResult:
        instance = self._machine.instance
        if isolated:
            return RecordedResult(result, error, fuel_used=instance.fuel_used)
        return RecordedResult(
            result,
            error,
            tuple(
                (number, page, content)
                for number, old in enumerate(before)
                for page, content in _changed_pages(old, instance.memories[number].raw)
            ),
            tuple((len(memory.raw), memory.pages) for memory in instance.memories),
            tuple(cell.raw for cell in instance.globals),
            tuple(tuple(table.elements) for table in instance.tables),
            instance.fuel_used,
        )

    def _replay(self, recorded: RecordedResult) -> Any:
        """Do to the instance what was done the first time."""
        instance = self._machine.instance
        for memory, (size, pages) in zip(instance.memories, recorded.sizes, strict=False):
            memory.restore_size(max(size, len(memory.raw)), pages)
        for number, page, content in recorded.pages:
            instance.memories[number].raw[page * PAGE : page * PAGE + len(content)] = content
        for cell, raw in zip(instance.globals, recorded.globals or (), strict=False):
            cell.raw = raw
        for table, elements in zip(instance.tables, recorded.tables or (), strict=False):
            table.elements[:] = elements
        instance.budget.fuel_used = recorded.fuel_used
        if recorded.error is not None:
            raise recorded.error
        return recorded.result


def _changed_pages(before: bytes, after: bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each 4 KiB page that has changed."""
    if before == after:
        return
    for number, start in enumerate(range(0, len(after), PAGE)):
        content = after[start : start + PAGE]
        if content != before[start : start + PAGE]:
            yield number, bytes(content)
