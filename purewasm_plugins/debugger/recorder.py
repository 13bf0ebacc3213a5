"""What the world outside the module answered: asked once, and remembered ever after.

A host function may count, wait, or write to a disk. So when a session goes over the same step a
second time, the call is not made: what it did to the machine the first time is done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purewasm_plugins.debugger.history import Answer, History, changed_pages
from purewasm_plugins.debugger.machine import DebugLinked
from purewasm_plugins.debugger.snapshot import PAGE
from purewasm_plugins.errors import Trap
from purewasm_plugins.runtime.instance import Function, HostException


class Recorder:
    """Stands between a machine and the world outside.

    Attributes:
        history: where the answers are kept.
        isolated: whether nothing outside can reach what the instance holds.
    """

    def __init__(self, linked: DebugLinked, history: History, *, isolated: bool) -> None:
        self._linked = linked
        self.history = history
        self._isolated = isolated
        linked.call_outside = self._call
        linked.grow = self._grow

    def _call(self, function: Function, call: Callable[[Function], None]) -> None:
        """A call of a function that the module does not define."""
        parameters, results = len(function.type.params), len(function.type.results)
        self._do(lambda: call(function), parameters, results, isolated=self._isolated)

    def _grow(self, memory: int, grow: Callable[[int], None]) -> None:
        """`memory.grow`, whose answer depends on how much memory this computer has."""
        clock = self._linked.clock
        answer = self.history.answers.get(clock.step - 1) if clock.live else None
        if answer is not None and answer.results[0].into_i32() < 0:
            self._replay(answer, 1)
        else:
            # Replayed, it is done again: nothing else makes the memory larger.
            self._do(lambda: grow(memory), 1, 1, isolated=True, again=True)

    def _do(
        self,
        do: Callable[[], None],
        parameters: int,
        results: int,
        *,
        isolated: bool,
        again: bool = False,
    ) -> None:
        clock = self._linked.clock
        if not clock.live:
            do()
            return
        # The clock has counted the instruction that is running.
        step = clock.step - 1
        known = self.history.answers.get(step)
        if known is not None and not again:
            self._replay(known, parameters)
            return
        instance = self._linked.instance
        before = [] if isolated else [bytes(memory.raw) for memory in instance.memories]
        error: BaseException | None = None
        try:
            do()
        except (Trap, HostException) as raised:
            error = raised
            raise
        finally:
            values = self._linked.machine.stack.value
            left = () if error is not None or not results else tuple(values[-results:])
            if known is None:
                self.history.record(step, self._answer(left, error, before, isolated))

    def _answer(
        self,
        results: tuple[Any, ...],
        error: BaseException | None,
        before: list[bytes],
        isolated: bool,
    ) -> Answer:
        instance = self._linked.instance
        if isolated:
            return Answer(results, error, fuel_used=instance.fuel_used)
        pages: list[tuple[int, int, bytes]] = []
        for number, content in enumerate(before):

            def keep(page: int, data: bytes, number: int = number) -> None:
                pages.append((number, page, data))

            changed_pages(content, instance.memories[number].raw, keep)
        return Answer(
            results,
            error,
            tuple(pages),
            tuple((len(memory.raw), memory.pages) for memory in instance.memories),
            tuple(cell.raw for cell in instance.globals),
            tuple(tuple(table.elements) for table in instance.tables),
            instance.fuel_used,
        )

    def _replay(self, answer: Answer, parameters: int) -> None:
        instance, values = self._linked.instance, self._linked.machine.stack.value
        for memory, (size, pages) in zip(instance.memories, answer.sizes, strict=False):
            memory.restore_size(max(size, len(memory.raw)), pages)
        for number, page, content in answer.pages:
            instance.memories[number].raw[page * PAGE : page * PAGE + len(content)] = content
        for cell, raw in zip(instance.globals, answer.globals or (), strict=False):
            cell.raw = raw
        for table, elements in zip(instance.tables, answer.tables or (), strict=False):
            table.elements[:] = elements
        instance.budget.fuel_used = answer.fuel_used
        if parameters:
            del values[-parameters:]
        if answer.error is not None:
            raise answer.error
        values.extend(answer.results)
