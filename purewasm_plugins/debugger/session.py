"""A session: one call of one function, walked through in both directions.

It decides when to stop and holds what there is to see. It prints nothing, reads nothing and never
blocks, so that a terminal, a page and an editor can all drive it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from purewasm_plugins.debugger.console import OutputConsole
from purewasm_plugins.debugger.errors import DebuggerError
from purewasm_plugins.debugger.launch import (
    function_call,
    put_input,
    steppable_instance,
    steppable_plugin,
)
from purewasm_plugins.debugger.machine import effects
from purewasm_plugins.debugger.machine.execution import Execution
from purewasm_plugins.debugger.machine.program import Location, Program
from purewasm_plugins.debugger.machine.reasons import Stop, StopReason, Watchpoint, Write
from purewasm_plugins.debugger.machine.snapshot import Snapshot
from purewasm_plugins.debugger.machine.watcher import Target
from purewasm_plugins.debugger.memory import check_range, memory_bytes
from purewasm_plugins.debugger.stops import Stops
from purewasm_plugins.debugger.view import View
from purewasm_plugins.engine.stepping import machine_of
from purewasm_plugins.errors import StringError, ToolExecutionError, ToolFailedError, WasmError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.abi import exported_memory, optional_function, required_function
from purewasm_plugins.plugin.strings import read_string
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.memory import Memory

#: Bytes that the history of a session may take, by default.
HISTORY_BYTES = 64 * 1024 * 1024


class DebugSession:
    """One call of a tool, or of any function of a module, that can be walked through.

    It runs in an instance of its own, made for it, unless the plugin or instance that it is given
    runs on a `DebugEngine`: then it runs in that one, which a host function needs that reads the
    plugin's memory.

    A place is a number of steps: how many instructions have run since the call began. A step is an
    instruction of the text, `end` and `else` included.

    A move that may be long takes a `limit`: after about that many instructions it stops for the
    reason "limit", and `proceed` continues it. So a caller can attend to something else meanwhile.

    Example:
        >>> from purewasm_plugins import WasmPlugin, example
        >>> from purewasm_plugins.debugger import DebugSession
        >>> plugin = WasmPlugin.load(example("buggy_shout"))
        >>> session = DebugSession(plugin, "shout", "pizza")
        >>> session.resume().reason.value, session.output
        ('finished', 'PIzzA')
        >>> session.step_back().step == session.last_step - 1
        True

    Attributes:
        stops: its breakpoints and watchpoints.
        view: what there is to see: frames, operands, memory and the rest.
        console: what the call has written to its output streams, where WASI captures them; empty in
            the instance of a `DebugEngine`, whose `wasi` has it.
    """

    def __init__(
        self,
        plugin: WasmPlugin,
        tool: int | str,
        input: str,
        *,
        history_bytes: int = HISTORY_BYTES,
    ) -> None:
        """Stop before the first instruction of a tool.

        Args:
            plugin: a loaded plugin.
            tool: the tool's index or name.
            input: the tool's input.
            history_bytes: memory that the way back may take.

        Raises:
            ToolExecutionError: there is no such tool, or the input cannot be passed to it.
            WasmError: the plugin cannot be instantiated a second time.
        """
        found = plugin.find_tool(tool)
        label, index = found.name, found.index
        console = OutputConsole()
        instance, isolated = steppable_plugin(plugin, console)
        memory = exported_memory(instance)
        pointer = put_input(instance, memory, label, input)
        execute = required_function(instance, "plugin_tool_execute")
        self._begin(execute, (index, pointer), history_bytes, instance, console, isolated=isolated)
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
        """Stop before the first instruction of a function.

        Args:
            instance: another one is made of its module, with its imports, unless it runs on a
                `DebugEngine`.
            name: the function's export or name, or its index.
            arguments: one for each parameter.
            history_bytes: memory that the way back may take.

        Raises:
            LocationError: there is no such function, or the module does not define it.
            TypeError, ValueError: the arguments do not match its type.
            WasmError: the module cannot be instantiated a second time.
        """
        console = OutputConsole()
        instance, isolated = steppable_instance(instance, console)
        function, raw = function_call(instance, name, arguments)
        session = cls.__new__(cls)
        session._begin(function, raw, history_bytes, instance, console, isolated=isolated)
        session._tool, session._output_memory = str(name), None
        return session

    def _begin(
        self,
        function: Function,
        arguments: tuple[Any, ...],
        history_bytes: int,
        instance: Instance,
        console: OutputConsole,
        *,
        isolated: bool,
    ) -> None:
        """Put the machine of an instance at the start of a function; see `Execution`."""
        machine = machine_of(instance)
        if machine is None or function.instance is not instance or function.index is None:
            raise DebuggerError("the function is imported: it has no instructions here")
        self._instance = instance
        self.console = console
        console.begin(machine.clock)
        self._execution = Execution(
            machine, function.index, arguments, history_bytes, isolated=isolated
        )
        self.stops = Stops(self._execution)
        self.view = View(self._execution)
        self._watcher = self._execution.watcher
        self._continue: Callable[[int | None], Stop] = self.resume
        self._outcome: str | ToolExecutionError | None = None

    @property
    def program(self) -> Program:
        """The code as text, and its names."""
        return self._execution.program

    @property
    def instance(self) -> Instance:
        """The instance that the call runs in."""
        return self._instance

    # The current place

    @property
    def stop(self) -> Stop:
        """The current place, and why the session stopped there."""
        return self._execution.stop

    @property
    def step_number(self) -> int:
        """The number of instructions that have run."""
        return self._execution.step

    @property
    def first_step(self) -> int:
        """The earliest step that can be reached: 0, unless the history has removed it."""
        return self._execution.history.start

    @property
    def last_step(self) -> int:
        """The latest step that has been reached."""
        return self._execution.frontier

    @property
    def finished(self) -> bool:
        """Whether the call has returned."""
        return self._execution.finished

    @property
    def history_size(self) -> int:
        """Estimated bytes that the history takes."""
        return self._execution.history.size

    @property
    def output(self) -> str | None:
        """The output of the tool; None before it has finished.

        Where the plugin exports `plugin_tool_error`, the first use of this property at the end of
        the call runs that function. It is no part of the history, and its effects on the instance
        are undone.

        Raises:
            ToolFailedError: the tool reported that it failed.
            ToolExecutionError: what the tool returned points at no string, or `plugin_tool_error`
                trapped.
        """
        results, memory = self.stop.results, self._output_memory
        if not results or memory is None:
            return None
        if self._outcome is None:
            pointer = results[0]
            self._outcome = self._execution.aside(lambda: self._find_outcome(pointer, memory))
        if isinstance(self._outcome, ToolExecutionError):
            raise self._outcome.with_traceback(None)
        return self._outcome

    def _find_outcome(self, pointer: int, memory: Memory) -> str | ToolExecutionError:
        """Return the output that a tool has returned a pointer to, or the error of its failure."""
        report = optional_function(self._instance, "plugin_tool_error")
        try:
            failure = 0 if report is None else report()
            address = (failure or pointer) & 0xFFFFFFFF
            text = read_string(memory, address, self._instance.limits.output_bytes)
        except StringError as error:
            return ToolExecutionError(self._tool, str(error))
        except WasmError as error:
            return ToolExecutionError(self._tool, error.summary)
        return ToolFailedError(self._tool, text) if failure else text

    # Forwards

    def step(self) -> Stop:
        """Run one instruction."""
        return self._execution.forward(self.step_number + 1)

    def step_over(self, limit: int | None = None) -> Stop:
        """Run one instruction, and where it calls a function, all of the call."""
        instruction = self._execution.instruction
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
        """Run until there is a reason to stop, or until a location is next.

        Raises:
            LocationError: there is no such location.
        """
        return self._forward(Target(self.program.locate(location), None), limit)

    def _forward(self, target: Target | None, limit: int | None) -> Stop:
        """Run to a target, to another reason to stop, or to the limit."""
        self._continue = partial(self._forward, target)
        last_step = math.inf if limit is None else self.step_number + limit
        return self._execution.forward(last_step, target, limit=True)

    def proceed(self, limit: int | None = None) -> Stop:
        """Continue the move that its limit ended.

        `view.changes` then tells what the whole move changed.

        Raises:
            DebuggerError: the last move was not ended by a limit.
        """
        if self.stop.reason is not StopReason.LIMIT:
            raise DebuggerError("the last move came to its end: there is nothing to go on with")
        before = self._execution.before
        stop = self._continue(limit)
        self._execution.before = before
        return stop

    def interrupt(self) -> None:
        """Stop a running move at the next instruction; a signal handler may call it.

        A move backwards ends where it began.
        """
        self._watcher.interrupt()

    def tick(self) -> Stop | None:
        """Run one instruction, without looking for reasons to stop.

        `trace` uses it, and it is quicker than `step`; `view.changes` does not take it into
        account.

        Returns:
            The end of the call, if it came to that.
        """
        return self._execution.tick()

    # Backwards

    def step_back(self) -> Stop:
        """Go to the place before the last instruction."""
        return self.go_to(self.step_number - 1)

    def step_back_over(self, limit: int | None = None) -> Stop:
        """Go back one instruction; where that returned from a function, to before its call."""
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
        """Go back to the last breakpoint or write to a watchpoint; without one, to the start.

        At a watchpoint, the session stops before the instruction that wrote.
        """
        start = self._execution.depart()
        if self._watcher.has_reasons:
            return self._back(start, None, limit)
        self._execution.travel(self.first_step)
        return self._execution.arrive(start, StopReason.STEP)

    def _back(self, start: Snapshot, target: Target | None, limit: int | None) -> Stop:
        """Go back to a target, or without one to the last reason to stop; else to the start.

        Args:
            start: where the move began.
            target: the place to stop at.
            limit: instructions after which to stop for the reason "limit".
        """
        execution = self._execution
        self._continue = lambda more: self._back(execution.depart(), target, more)
        found = execution.search_back(target, limit)
        if self._watcher.interrupted:
            return execution.give_up(start)
        if found is not None:
            execution.travel(found.step)
            return execution.arrive(start, StopReason.STEP, found if target is None else None)
        at_start = self.step_number == self.first_step
        return execution.arrive(start, StopReason.STEP if at_start else StopReason.LIMIT)

    def go_to(self, step: int) -> Stop:
        """Go to a place by the number of its step, without stopping before it.

        A step before the start leads to the start, and one after the end to the end.
        """
        return self._execution.go(self._execution.depart(), step)

    def last_write(self, address: int) -> Write | None:
        """Find the last write to a byte of memory before the current place, and stay there.

        Returns:
            None where nothing has written it since the call began, or since the start of the
            history: it was there before.

        Raises:
            LocationError: the byte is not in memory.
            DebuggerError: the search was interrupted.
        """
        check_range(len(memory_bytes(self._instance)), address, 1)
        here = self._execution.depart()
        watch = Watchpoint(0, "memory", start=address, size=1, every_write=True)
        found = self._execution.search_write(watch)
        interrupted = self._watcher.interrupted
        self._execution.rewind(here)
        if interrupted:
            raise DebuggerError("the search was interrupted")
        return None if found is None else found.write
