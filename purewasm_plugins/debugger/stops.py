"""The stops of a session: its breakpoints and watchpoints."""

from __future__ import annotations

from collections.abc import Mapping

from purewasm_plugins.debugger.errors import DebuggerError, HitCountError, LocationError
from purewasm_plugins.debugger.expressions import Expression
from purewasm_plugins.debugger.launch import index_named
from purewasm_plugins.debugger.machine.execution import Execution
from purewasm_plugins.debugger.machine.program import Location
from purewasm_plugins.debugger.machine.reasons import Breakpoint, Watchpoint
from purewasm_plugins.debugger.memory import check_range, memory_bytes


class Stops:
    """The breakpoints and watchpoints of a session: `session.stops`.

    Example:
        >>> from purewasm_plugins import WasmPlugin, example
        >>> from purewasm_plugins.debugger import DebugSession
        >>> session = DebugSession(WasmPlugin.load(example("buggy_shout")), "shout", "pizza")
        >>> point = session.stops.add_breakpoint("capital", condition="$char == 122")
        >>> session.resume().reason.value, session.view.evaluate("chr($char)")
        ('breakpoint', 'z')
        >>> session.stops.remove(point.number)
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._watcher = execution.watcher
        self._program = execution.program
        self._instance = execution.machine.instance
        self._last_number = 0

    @property
    def breakpoints(self) -> Mapping[int, Breakpoint]:
        """The breakpoints, by number."""
        return dict(self._watcher.breakpoints)

    @property
    def watchpoints(self) -> Mapping[int, Watchpoint]:
        """The watchpoints, by number."""
        return dict(self._watcher.watchpoints)

    @property
    def at_host_calls(self) -> bool:
        """Whether a call of an imported function is a reason to stop."""
        return self._watcher.stop_at_host_calls

    @at_host_calls.setter
    def at_host_calls(self, stop: bool) -> None:
        self._watcher.stop_at_host_calls = stop
        self._watcher.update()

    def add_breakpoint(
        self,
        location: str | int | Location,
        *,
        condition: str | None = None,
        hit_count: int = 1,
    ) -> Breakpoint:
        """Stop before an instruction.

        Args:
            location: see `Program.locate`.
            condition: an expression (see `expressions`) that must be true for that.
            hit_count: the first arrival to stop at, counted from the start of the call.

        Raises:
            LocationError: there is no such location.
            ExpressionError: the condition is no expression.
            HitCountError: the count is less than 1.
        """
        if hit_count < 1:
            raise HitCountError(hit_count)
        expression = None if condition is None else Expression(condition)
        place = self._program.locate(location)
        point = Breakpoint(self._number(), place, expression, hit_count)
        self._watcher.breakpoints[point.number] = point
        self._watcher.update(place.function)
        if hit_count > 1:
            self._count_arrivals()
        return point

    def _count_arrivals(self) -> None:
        """Run from the start to the current place: a new hit count includes earlier arrivals."""
        execution = self._execution
        first = execution.history.start
        if execution.step > first:
            here = execution.depart()
            execution.travel(first)
            execution.advance(execution.frontier)
            execution.rewind(here)

    def watch_memory(
        self,
        address: int,
        size: int = 1,
        *,
        every_write: bool = False,
        condition: str | None = None,
    ) -> Watchpoint:
        """Stop after a write to memory.

        Args:
            address, size: the bytes, at least one.
            every_write: stop for writes of the value that is there already, too.
            condition: an expression that must be true after the write.

        Raises:
            LocationError: they are not in memory.
            ExpressionError: the condition is no expression.
        """
        if size < 1:
            raise LocationError(f"{address:#x}", f"{size} bytes cannot be watched")
        check_range(len(memory_bytes(self._instance)), address, size)
        return self._watch("memory", every_write, condition, start=address, size=size)

    def watch_global(
        self, name: int | str, *, every_write: bool = False, condition: str | None = None
    ) -> Watchpoint:
        """Stop after a write to a global.

        Args:
            name: the global's name or index.
            every_write, condition: see `watch_memory`.

        Raises:
            LocationError: there is no such global.
            ExpressionError: the condition is no expression.
        """
        names = [self._program.global_name(index) for index in range(len(self._instance.globals))]
        index = index_named(name, names, "global")
        return self._watch("global", every_write, condition, index=index)

    def watch_local(
        self,
        name: int | str,
        function: str | int | None = None,
        *,
        every_write: bool = False,
        condition: str | None = None,
    ) -> Watchpoint:
        """Stop after a write to a local of a function, in each of its activations.

        Args:
            name: the local's name or index.
            function: the function's name or index; None for the current one.
            every_write, condition: see `watch_memory`.

        Raises:
            LocationError: there is no such function or local.
            ExpressionError: the condition is no expression.
        """
        if function is None:
            position = self._execution.machine.position
            if position is None:
                raise LocationError(str(name), "the call has finished: name the function")
            function = position.function
        which = self._program.function(function)
        if which < self._program.first_defined:
            raise LocationError(str(function), "that function is imported: it has no locals here")
        count = len(self._program.local_types(which))
        names = [self._program.local_name(which, index) for index in range(count)]
        index = index_named(name, names, "local")
        return self._watch("local", every_write, condition, index=index, function=which)

    def _watch(
        self, kind: str, every_write: bool, condition: str | None, **place: int
    ) -> Watchpoint:
        expression = None if condition is None else Expression(condition)
        watchpoint = Watchpoint(
            self._number(), kind, every_write=every_write, condition=expression, **place
        )
        self._watcher.watchpoints[watchpoint.number] = watchpoint
        self._watcher.update()
        return watchpoint

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def remove(self, number: int) -> None:
        """Remove a breakpoint or watchpoint.

        Raises:
            DebuggerError: there is none of that number.
        """
        watcher = self._watcher
        if watcher.breakpoints.pop(number, None) or watcher.watchpoints.pop(number, None):
            watcher.update()
        else:
            raise DebuggerError(f"there is no breakpoint or watchpoint {number}")
