"""A session: one call of one function, walked through in both directions.

It decides when to stop and holds what there is to see. It prints nothing, reads nothing and never
blocks, so that a terminal, a page and an editor can all drive it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from purewasm_plugins.debugger import effects, views
from purewasm_plugins.debugger.execution import Execution
from purewasm_plugins.debugger.expressions import Expression
from purewasm_plugins.debugger.launch import (
    find_tool,
    function_call,
    index_named,
    steppable_instance,
    steppable_plugin,
)
from purewasm_plugins.debugger.machine import debug_linked
from purewasm_plugins.debugger.program import Line, Location, Program
from purewasm_plugins.debugger.snapshot import Snapshot
from purewasm_plugins.debugger.stops import Breakpoint, Stop, StopReason, Watchpoint, Write
from purewasm_plugins.debugger.watcher import Landing
from purewasm_plugins.engine.reference.interpreter import raw_value
from purewasm_plugins.errors import (
    DebuggerError,
    ExpressionError,
    LocationError,
    StringError,
    ToolExecutionError,
    WasmError,
)
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.abi import exported_memory, required_function
from purewasm_plugins.plugin.plugin import summary
from purewasm_plugins.plugin.strings import input_place, read_string
from purewasm_plugins.runtime.instance import Function, HostException, Instance
from purewasm_plugins.runtime.memory import Memory, encode_string

#: Bytes that the history of a session may take, where nothing else is said.
HISTORY_BYTES = 64 * 1024 * 1024


class DebugSession:
    """One call of a tool, or of any function of a module, that can be walked through.

    It runs in an instance of its own, made for it, unless the plugin or instance that it is given
    runs on a `DebugEngine`: then it is that one, which is what a host function needs that looks
    into the plugin's memory.

    A place is a number of steps: how many instructions have run since the call began. A step is an
    instruction of the text, `end` and `else` included.

    A move that may be long takes a `limit`: after about that many instructions it stops for the
    reason "limit", and `proceed` goes on with it. Who has to look after something else meanwhile
    moves in such slices.
    """

    def __init__(
        self,
        plugin: WasmPlugin,
        tool: int | str,
        input: str,
        *,
        history_bytes: int = HISTORY_BYTES,
    ) -> None:
        """Stand before the first instruction of a tool.

        Args:
            plugin: a loaded plugin.
            tool: the tool's index or name.
            input: what it is given.
            history_bytes: what the way back may take, in memory.

        Raises:
            ToolExecutionError: there is no such tool, or the input cannot be passed to it.
            WasmError: the plugin cannot be brought to life a second time.
        """
        label, index = find_tool(plugin, tool)
        instance, isolated = steppable_plugin(plugin)
        memory = exported_memory(instance)
        try:
            pointer = input_place(instance, memory).put(encode_string(input))
        except StringError as error:
            raise ToolExecutionError(label, str(error)) from None
        except HostException as carrier:
            raise carrier.exception from None
        except WasmError as error:
            # The plugin's own allocator trapped, or the input is too long.
            raise ToolExecutionError(label, summary(error)) from error
        execute = required_function(instance, "plugin_tool_execute")
        self._begin(execute, (index, pointer), history_bytes, instance, isolated=isolated)
        self._tool = label
        self._output_memory: Memory | None = memory

    @classmethod
    def for_function(
        cls,
        instance: Instance,
        name: str | int,
        *arguments: Any,
        history_bytes: int = HISTORY_BYTES,
    ) -> DebugSession:
        """Stand before the first instruction of a function.

        Args:
            instance: of its module, with its imports, another one is made, unless it runs on a
                `DebugEngine`.
            name: the function's export or name, or its index.
            arguments: one for each parameter.
            history_bytes: what the way back may take, in memory.

        Raises:
            LocationError: there is no such function, or the module does not define it.
            TypeError, ValueError: the arguments do not fit its type.
            WasmError: the module cannot be brought to life a second time.
        """
        instance, isolated = steppable_instance(instance)
        function, raw = function_call(instance, name, arguments)
        session = cls.__new__(cls)
        session._begin(function, raw, history_bytes, instance, isolated=isolated)
        session._tool, session._output_memory = str(name), None
        return session

    def _begin(
        self,
        function: Function,
        arguments: tuple[Any, ...],
        history_bytes: int,
        instance: Instance,
        *,
        isolated: bool,
    ) -> None:
        linked = debug_linked(instance)
        if linked is None or function.instance is not instance:
            raise DebuggerError("the function is imported: it has no instructions here")
        self._instance = instance
        self._linked = linked
        self._execution = Execution(linked, function, arguments, history_bytes, isolated=isolated)
        self._watcher = self._execution.watcher
        self._numbers = 0
        self._go_on: Callable[[int | None], Stop] = self.resume

    @property
    def program(self) -> Program:
        """The code as text, and its names."""
        return self._execution.program

    @property
    def instance(self) -> Instance:
        """The instance that the call runs in."""
        return self._instance

    # Where it stands

    @property
    def stop(self) -> Stop:
        """Where the machine stands, and why."""
        return self._execution.stop

    @property
    def step_number(self) -> int:
        """How many instructions have run."""
        return self._execution.step

    @property
    def first_step(self) -> int:
        """The earliest step that can be gone back to: 0, unless the history forgot it."""
        return self._execution.history.start

    @property
    def last_step(self) -> int:
        """The latest step that has been reached."""
        return self._execution.frontier

    @property
    def finished(self) -> bool:
        """Whether the machine stands at the end of the call, behind its last instruction."""
        return self._execution.finished

    @property
    def history_size(self) -> int:
        """Bytes that the history takes, as it reckons them."""
        return self._execution.history.size

    @property
    def output(self) -> str | None:
        """What the tool returned, read as a string; None before it has finished.

        Raises:
            ToolExecutionError: what it returned points at no string.
        """
        if not self.finished or self._output_memory is None:
            return None
        pointer = raw_value(self._linked.machine.stack.value[0])
        try:
            return read_string(self._output_memory, pointer, self._instance.limits.output_bytes)
        except StringError as error:
            raise ToolExecutionError(self._tool, str(error)) from None

    # Forwards

    def step(self) -> Stop:
        """Run one instruction."""
        return self._execution.forward(self.step_number + 1)

    def step_over(self, limit: int | None = None) -> Stop:
        """Run one instruction, and where it calls a function, all of that."""
        instruction = views.instruction_at(self._linked)
        if instruction is None or not effects.calls(instruction.opcode):
            return self.step()
        return self._forward(self._execution.return_site(self._execution.depth), limit)

    def step_out(self, limit: int | None = None) -> Stop:
        """Run until the current function has returned."""
        depth = self._execution.depth - 1
        return self._forward(self._execution.return_site(depth) if depth > 0 else None, limit)

    def resume(self, limit: int | None = None) -> Stop:
        """Run until there is a reason to stop.

        Args:
            limit: instructions after which to stop for the reason "limit"; None for any number.
        """
        return self._forward(None, limit)

    def run_to(self, location: str | int | Location, limit: int | None = None) -> Stop:
        """Run until there is a reason to stop, or until the machine stands at a location.

        Raises:
            LocationError: there is no such location.
        """
        return self._forward(Landing(self.program.locate(location), None), limit)

    def _forward(self, landing: Landing | None, limit: int | None) -> Stop:
        self._go_on = partial(self._forward, landing)
        target = math.inf if limit is None else self.step_number + limit
        return self._execution.forward(target, landing, limit=True)

    def proceed(self, limit: int | None = None) -> Stop:
        """Go on with the move that its limit ended, to where it led.

        `changes` then tells what all of that move changed.

        Raises:
            DebuggerError: the last move came to its end.
        """
        if self.stop.reason is not StopReason.LIMIT:
            raise DebuggerError("the last move came to its end: there is nothing to go on with")
        before = self._execution.before
        stop = self._go_on(limit)
        self._execution.before = before
        return stop

    def interrupt(self) -> None:
        """Make a move that is running stop at the next instruction; for a signal handler.

        A move backwards is given up: it ends where it began.
        """
        self._watcher.interrupt()

    def tick(self) -> Stop | None:
        """Run one instruction, past whatever there is to stop for; the end, if it came to one.

        It is what `trace` is made of, and quicker than `step`; `changes` knows nothing of it.
        """
        return self._execution.tick()

    # Backwards

    def step_back(self) -> Stop:
        """Go to the place before the last instruction."""
        return self.go_to(self.step_number - 1)

    def step_back_over(self, limit: int | None = None) -> Stop:
        """Go back one instruction, and where that returned from a function, to before its call."""
        execution = self._execution
        here, depth, start = execution.step, max(execution.depth, 1), execution.depart()
        execution.travel(max(here - 1, self.first_step))
        if execution.depth > depth:
            return self._back(start, execution.call_site(depth), limit)
        return execution.arrive(start, StopReason.STEP)

    def step_back_out(self, limit: int | None = None) -> Stop:
        """Go back to before the call of the current function; of the outermost, to the start."""
        execution = self._execution
        start, depth = execution.depart(), execution.depth - 1
        if depth > 0:
            return self._back(start, execution.call_site(depth), limit)
        execution.travel(self.first_step)
        return execution.arrive(start, StopReason.STEP)

    def resume_back(self, limit: int | None = None) -> Stop:
        """Go back to the last breakpoint or write to a watchpoint; to the start without one.

        At a watchpoint, the machine stands before the instruction that wrote.
        """
        start = self._execution.depart()
        if self._watcher.wants_something:
            return self._back(start, None, limit)
        self._execution.travel(self.first_step)
        return self._execution.arrive(start, StopReason.STEP)

    def _back(self, start: Snapshot, landing: Landing | None, limit: int | None) -> Stop:
        """Go back to a landing, or without one to the last reason to stop; else to the start.

        Args:
            start: where the move began.
        """
        execution = self._execution
        self._go_on = lambda more: self._back(execution.depart(), landing, more)
        found = execution.search_back(landing, limit)
        if self._watcher.interrupted:
            return execution.give_up(start)
        if found is not None:
            execution.travel(found.step)
            return execution.arrive(start, StopReason.STEP, found if landing is None else None)
        at_start = self.step_number == self.first_step
        return execution.arrive(start, StopReason.STEP if at_start else StopReason.LIMIT)

    def go_to(self, step: int) -> Stop:
        """Go to a place, by the number of its step, past whatever is in between.

        A step before the start leads to the start, and one after the end to the end.
        """
        return self._execution.go(self._execution.depart(), step)

    # What to stop for

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
            hit_count: the arrival to stop at first, counted from the start of the call.

        Raises:
            LocationError, ExpressionError: there is no such location, or no such expression.
            ValueError: `hit_count` is less than 1.
        """
        if hit_count < 1:
            raise ValueError(f"a hit count must be 1 or more: {hit_count}")
        expression = None if condition is None else Expression(condition)
        place = self.program.locate(location)
        self._numbers += 1
        point = Breakpoint(self._numbers, place, expression, hit_count)
        self._watcher.breakpoints[point.number] = point
        self._watcher.mark(place.function)
        if hit_count > 1 and self.step_number > self.first_step:
            # Earlier arrivals count as well, and nobody has looked at them.
            here = self._execution.depart()
            self._execution.travel(self.first_step)
            self._execution.advance(self.last_step)
            self._execution.rewind(here)
        return point

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
            address, size: which bytes.
            every_write: stop for writes of the value that is there already, too.
            condition: an expression that must be true after the write.

        Raises:
            LocationError: they are not in memory.
        """
        memories = self._instance.memories
        end = len(memories[0].raw) if memories else 0
        if size < 1 or not 0 <= address <= end - size:
            raise LocationError(f"{address:#x}", f"{size} bytes there are not in memory ({end:#x})")
        return self._watch("memory", every_write, condition, start=address, size=size)

    def watch_global(
        self, name: int | str, *, every_write: bool = False, condition: str | None = None
    ) -> Watchpoint:
        """Stop after a write to a global; as for `watch_memory`."""
        names = [self.program.global_name(index) for index in range(len(self._instance.globals))]
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
        """Stop after a write to a local of a function, in whichever of its activations.

        Args:
            name: the local's name or index.
            function: the current one by default.
            every_write, condition: as for `watch_memory`.
        """
        if function is None:
            if self.stop.function is None:
                raise LocationError(str(name), "the call has finished: say of which function")
            function = self.stop.function
        which = self.program.function(function)
        if which < self.program.first_defined:
            raise LocationError(str(function), "that function is imported: it has no locals here")
        count = len(self.program.local_types(which))
        names = [self.program.local_name(which, index) for index in range(count)]
        index = index_named(name, names, "local")
        return self._watch("local", every_write, condition, index=index, function=which)

    def _watch(
        self, kind: str, every_write: bool, condition: str | None, **place: int
    ) -> Watchpoint:
        expression = None if condition is None else Expression(condition)
        self._numbers += 1
        watchpoint = Watchpoint(
            self._numbers, kind, every_write=every_write, condition=expression, **place
        )
        self._watcher.watchpoints[watchpoint.number] = watchpoint
        self._watcher.mark_all()
        return watchpoint

    def remove(self, number: int) -> None:
        """Forget a breakpoint or watchpoint.

        Raises:
            DebuggerError: there is none of that number.
        """
        watcher = self._watcher
        if number in watcher.breakpoints:
            del watcher.breakpoints[number]
        elif number in watcher.watchpoints:
            del watcher.watchpoints[number]
        else:
            raise DebuggerError(f"there is no breakpoint or watchpoint {number}")
        watcher.mark_all()

    @property
    def breakpoints(self) -> Mapping[int, Breakpoint]:
        """The breakpoints by number."""
        return dict(self._watcher.breakpoints)

    @property
    def watchpoints(self) -> Mapping[int, Watchpoint]:
        """The watchpoints by number."""
        return dict(self._watcher.watchpoints)

    @property
    def stop_at_host_calls(self) -> bool:
        """Whether a call of an imported function is a reason to stop."""
        return self._watcher.stop_at_host_calls

    @stop_at_host_calls.setter
    def stop_at_host_calls(self, stop: bool) -> None:
        self._watcher.stop_at_host_calls = stop
        self._watcher.mark_all()

    def last_write(self, address: int) -> Write | None:
        """The last write to a byte of memory before the place where the machine stands.

        Returns:
            None where nothing has written it since the call began, or since as far as the history
            goes back: it was there before.

        Raises:
            LocationError: the byte is not in memory.
            DebuggerError: the search was interrupted.
        """
        memories = self._instance.memories
        end = len(memories[0].raw) if memories else 0
        if not 0 <= address < end:
            raise LocationError(f"{address:#x}", f"that byte is not in memory ({end:#x})")
        here = self._execution.depart()
        watch = Watchpoint(0, "memory", start=address, size=1, every_write=True)
        found = self._execution.search_write(watch)
        given_up = self._watcher.interrupted
        self._execution.rewind(here)
        if given_up:
            raise DebuggerError("the search was interrupted")
        return None if found is None else found.write

    # What there is to see

    def frames(self) -> tuple[views.FrameView, ...]:
        """The active functions, innermost first, with their operands, locals and labels."""
        return views.frames(self._linked, self.program)

    @property
    def depth(self) -> int:
        """How many functions are active."""
        return self._execution.depth

    def operands(self) -> tuple[views.Value, ...]:
        """The operands of the current function, topmost last; the results once it has finished."""
        return views.operands(self._linked)

    def stack(self) -> tuple[views.Value, ...]:
        """The whole operand stack, topmost last."""
        return tuple(map(views.typed, self._linked.machine.stack.value))

    def globals(self) -> tuple[views.GlobalView, ...]:
        """The globals, by index."""
        return views.globals_(self._linked, self.program)

    def tables(self) -> tuple[views.TableView, ...]:
        """The tables, by index."""
        return views.tables(self._linked, self.program)

    def memory_size(self) -> int:
        """Bytes of memory 0, those of the host behind the module's included."""
        memories = self._instance.memories
        return len(memories[0].raw) if memories else 0

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of memory 0.

        Raises:
            LocationError: they are not all in memory.
        """
        end = self.memory_size()
        if size < 0 or not 0 <= address <= end - size:
            raise LocationError(f"{address:#x}", f"{size} bytes there are not in memory ({end:#x})")
        return bytes(self._instance.memories[0].raw[address : address + size])

    def accesses(self) -> tuple[effects.MemoryAccess, ...]:
        """The memory that the next instruction reads or writes."""
        instruction = views.instruction_at(self._linked)
        if instruction is None:
            return ()
        return effects.memory_accesses(self._linked.machine, instruction)

    def lines(self, before: int = 8, after: int = 8) -> tuple[Line, ...]:
        """The disassembly around the next instruction."""
        stop = self.stop
        if stop.function is None or stop.offset is None:
            return ()
        lines = self.program.lines(stop.function)
        here = next(i for i, line in enumerate(lines) if line.offset == stop.offset)
        return lines[max(0, here - before) : here + after + 1]

    def changes(self) -> views.Changes:
        """What the last move changed."""
        return views.changes(self._execution.before, self._execution.take())

    def evaluate(self, expression: str) -> Any:
        """The value of an expression where the machine stands.

        Raises:
            ExpressionError: it is none, or has no value here.
        """
        return Expression(expression).evaluate(views.scope(self._linked, self.program))

    def address(self, expression: str) -> int:
        """The address that an expression gives where the machine stands.

        Raises:
            ExpressionError: it is none, has no value here, or one that is no address.
        """
        value = self.evaluate(expression)
        if not isinstance(value, int):
            raise ExpressionError(expression, f"that is no address: it is {value!r}")
        return value & 0xFFFFFFFF
