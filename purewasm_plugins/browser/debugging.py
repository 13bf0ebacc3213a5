"""The Python side of the Debug tab: one debugger session, its moves and its state in JSON.

No request runs for long: a long move is made in slices, and the page requests each one. So the page
can show the reached step, and can stop the move without losing the session.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from purewasm_plugins.browser.editing import SourceText
from purewasm_plugins.command import START
from purewasm_plugins.debugger import (
    Breakpoint,
    DebugEngine,
    DebuggerError,
    DebugSession,
    FrameView,
    Line,
    Location,
    Stop,
    StopReason,
    Value,
)
from purewasm_plugins.debugger.explain import explain
from purewasm_plugins.debugger.wording import focus, value_text, why
from purewasm_plugins.errors import PluginError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.values import result_text
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.text.printer import MAX_INDENTATION

Answer = dict[str, Any]

#: The seconds that a slice of a long move takes, roughly, and the instructions of the first slice.
SLICE_SECONDS, FIRST_SLICE = 0.15, 2_000

#: The most that the page shows: rows of a list, frames of each end, lines of code, characters.
MOST_ROWS, MOST_FRAMES, MOST_LINES, MOST_TEXT = 200, 12, 2_000, 2_000

#: The bytes of memory in a row, and the number of rows.
_ROW, _ROWS = 16, 8

_MOVES: Mapping[str, Callable[[DebugSession, int], Stop]] = {
    "step": lambda session, _: session.step(),
    "over": DebugSession.step_over,
    "out": DebugSession.step_out,
    "run": DebugSession.resume,
    "back step": lambda session, _: session.step_back(),
    "back over": DebugSession.step_back_over,
    "back out": DebugSession.step_back_out,
    "back run": DebugSession.resume_back,
    "proceed": DebugSession.proceed,
}


class Debugging:
    """A debugger session, with the frame and the memory that the page shows."""

    def __init__(self, session: DebugSession, title: str, address: int | None = None) -> None:
        """Take a session before its first instruction.

        Args:
            session: the session.
            title: the call, as text.
            address: where the input of a tool is; None for a command.
        """
        self._session = session
        self._title = title
        self._is_tool = address is not None
        self._has_results = False
        #: The text that the module was assembled from, if that is to be shown.
        self.source: SourceText | None = None
        self._slice = FIRST_SLICE
        self._frame = 0
        #: The expression of the address that the page shows; None to follow the call.
        self._wanted: str | None = None
        #: The address that the page shows; at first that of the input.
        self._address = address or 0
        self._methods: Mapping[str, Callable[..., Answer]] = {
            "move": self.move,
            "go": self.go,
            "add": self.add,
            "toggle": self.toggle,
            "watch": self.watch,
            "remove": self.remove,
            "look": self.look,
            "code": self.code,
        }

    @classmethod
    def of_tool(cls, plugin: WasmPlugin, tool: int, input: str) -> Debugging:
        """Open a session on a call of a tool.

        Args:
            plugin: the plugin; the session makes an instance of its own.
            tool: the index of the tool.
            input: the input of the tool.

        Raises:
            ToolExecutionError: there is no such tool, or the input cannot be passed to it.
            WasmError: another instance of the plugin cannot be made.
        """
        session = DebugSession(plugin, tool, input)
        shown = json.dumps(_cut(input, 60), ensure_ascii=False)
        title = f"{plugin.tools[tool].name}({shown})"
        return cls(session, title, session.view.address("local[1]"))

    @classmethod
    def of_command(cls, instantiate: Callable[[DebugEngine], Instance]) -> Debugging:
        """Open a session on a command.

        Args:
            instantiate: makes an instance of it on an engine.

        Raises:
            WasmError: the instance cannot be made.
        """
        return cls(DebugSession.for_function(instantiate(DebugEngine()), START), f"{START}()")

    @classmethod
    def of_function(
        cls, instantiate: Callable[[DebugEngine], Instance], name: str, arguments: Iterable[Any]
    ) -> Debugging:
        """Open a session on a call of an exported function.

        Args:
            instantiate: makes an instance of its module on an engine.
            name: the name of the export.
            arguments: those of the call.

        Raises:
            WasmError: the instance cannot be made.
            LocationError: the function is imported.
        """
        instance, values = instantiate(DebugEngine()), tuple(arguments)
        # By its index: a function may have the name of another one's export.
        index = instance.exports.function(name).index or 0
        shown = ", ".join(str(value) for value in values)
        title = f"{_cut(name, 60)}({_cut(shown, 60)})"
        debugging = cls(DebugSession.for_function(instance, index, *values), title)
        debugging._has_results = True
        return debugging

    def handle(self, do: str, **params: Any) -> Answer:
        """Answer one request.

        Args:
            do: the name of a method of this class.
            params: the arguments of the method.

        Raises:
            DebuggerError: the request is not possible; the session is unchanged.
        """
        return self._methods[do](**params)

    def move(self, move: str) -> Answer:
        """Make a move, or the first slice of a long one; "proceed" makes the next slice.

        Args:
            move: a key of `_MOVES`.
        """
        started = time.perf_counter()
        stop = _MOVES[move](self._session, self._slice)
        if stop.reason is StopReason.LIMIT:
            seconds = max(time.perf_counter() - started, 0.001)
            factor = min(max(SLICE_SECONDS / seconds, 0.25), 4)
            self._slice = min(max(int(self._slice * factor), 100), 10_000_000)
        self._frame = 0
        return self.state()

    def go(self, step: int) -> Answer:
        """Go to a step that the session has reached.

        Raises:
            DebuggerError: the step was not reached, or is no longer in the history.
        """
        first, last = self._session.first_step, self._session.last_step
        if not first <= step <= last:
            raise DebuggerError(f"step {step:,} is not among those reached: {first:,} to {last:,}")
        self._session.go_to(step)
        self._frame = 0
        return self.state()

    def add(self, place: str, condition: str = "") -> Answer:
        """Set a breakpoint.

        Args:
            place: a place, as `Program.locate` takes it.
            condition: an expression; the session stops where it is true, or always where it is "".

        Raises:
            LocationError: there is no such place.
            ExpressionError: the condition is malformed.
        """
        self._session.stops.add_breakpoint(place, condition=condition.strip() or None)
        return self.state()

    def toggle(self, function: int, offset: int) -> Answer:
        """Remove the breakpoints of an instruction; set one if there is none."""
        location = Location(function, offset)
        points = [p for p in self._session.stops.breakpoints.values() if p.location == location]
        for point in points:
            self._session.stops.remove(point.number)
        if not points:
            self._session.stops.add_breakpoint(f"{offset:#x}")
        return self.state()

    def watch(self, address: str) -> Answer:
        """Watch a byte of memory for writes; stop watching it if it is watched already.

        Args:
            address: an expression.

        Raises:
            ExpressionError: the expression is malformed.
            LocationError: the memory has no such byte.
        """
        session = self._session
        start = session.view.address(address)
        points = [p for p in session.stops.watchpoints.values() if p.start == start]
        for point in points:
            session.stops.remove(point.number)
        if not points:
            session.stops.watch_memory(start)
        return self.state()

    def remove(self, number: int) -> Answer:
        """Remove a breakpoint or a watchpoint.

        Raises:
            DebuggerError: neither has this number.
        """
        self._session.stops.remove(number)
        return self.state()

    def look(self, frame: int = 0, address: str | None = None) -> Answer:
        """Select a frame and the memory to show.

        Args:
            frame: counted from the innermost, which the next move selects again.
            address: an expression, evaluated after each move; None to follow the call.

        Raises:
            ExpressionError: the expression is malformed.
        """
        if address is not None:
            self._session.view.address(address)
        self._frame, self._wanted = frame, address
        return self.state()

    def code(self, function: int, offset: int | None = None) -> Answer:
        """Return the lines of a function; of a long one, those around an instruction.

        Returns:
            "function", "name"; "total", "start": its lines, and where those that are returned
            begin. "lines": offset, depth and text of each; or what `SourceText.code` returns.
        """
        program = self._session.program
        name = program.function_name(function)
        answer: Answer = {"function": function, "name": name, "start": 0, "total": 0, "lines": []}
        if function not in program.functions():
            return answer
        if self.source is not None:
            own = function - program.first_defined
            return answer | self.source.code(own, offset, MOST_LINES)
        lines = program.lines(function)
        at = 0 if offset is None else bisect_left(lines, offset, key=lambda line: line.offset)
        start = max(0, min(at - MOST_LINES // 2, len(lines) - MOST_LINES))
        shown = lines[start : start + MOST_LINES]
        answer |= {"start": start, "total": len(lines)}
        answer["lines"] = [
            (line.offset, min(line.depth, MAX_INDENTATION), line.text) for line in shown
        ]
        return answer

    def functions(self) -> list[tuple[int, str]]:
        """Return the index and name of each function that the module defines."""
        program = self._session.program
        return [(index, program.function_name(index)) for index in program.functions()]

    # The state

    def state(self) -> Answer:
        """Return the step, the reason of the last stop, and the state of the machine."""
        session = self._session
        stop, frames = session.stop, session.view.frames()
        self._frame = min(max(self._frame, 0), max(len(frames) - 1, 0))
        frame = frames[self._frame] if frames else None
        return {
            "title": self._title,
            "step": session.step_number,
            "first": session.first_step,
            "last": session.last_step,
            "ended": session.finished or stop.trap is not None or stop.exception is not None,
            "trap": stop.trap is not None,
            "unfinished": stop.reason is StopReason.LIMIT,
            "why": why(stop, session.program),
            "problem": None if stop.error is None else f"Its condition failed: {stop.error}",
            "explanation": self._explanation(stop),
            "output": self._output(),
            "frame": self._frame,
            "function": None if frame is None else frame.function,
            "offset": None if frame is None else frame.offset,
            "memory": self._memory(),
            "breakpoints": [self._breakpoint(p) for p in session.stops.breakpoints.values()],
            "watchpoints": [
                {"number": point.number, "address": point.start, "hits": point.hits}
                for point in session.stops.watchpoints.values()
            ],
            **self._lists(frames, frame),
        }

    def _explanation(self, stop: Stop) -> Answer | None:
        """Return the next instruction and its explanation."""
        if stop.function is None or stop.offset is None or stop.instruction is None:
            return None
        line = self._session.program.line(Location(stop.function, stop.offset))
        return {"text": _code(line), "says": explain(stop.instruction.opcode)}

    def _output(self) -> Answer | None:
        """Return the output of the tool, or of the function, after its end."""
        if not self._session.finished:
            return None
        if self._has_results:
            operands = self._session.view.operands()
            text = "\n".join(result_text(value.type, value.value) for value in operands)
            return {"error": None, "text": text[:MOST_TEXT], "length": len(text), "results": True}
        if not self._is_tool:
            return None
        try:
            text = self._session.output or ""
        except PluginError as error:
            return {"error": str(error), "text": "", "length": 0}
        return {"error": None, "text": text[:MOST_TEXT], "length": len(text)}

    def _lists(self, frames: tuple[FrameView, ...], frame: FrameView | None) -> Answer:
        session, changes = self._session, self._session.view.changes()
        innermost = self._frame == 0
        operands = session.view.operands() if frame is None else frame.operands
        locals_ = () if frame is None else frame.locals
        labels = () if frame is None else frame.labels
        new_operands = changes.operands if innermost else ()
        new_locals = changes.locals if innermost else ()
        new_labels = changes.labels if innermost else ()
        return {
            "stack": _cut_rows(
                _row(str(index), value, index in new_operands)
                for index, value in reversed(tuple(enumerate(operands)))
            ),
            "locals": _cut_rows(
                _row((value.name and f"${value.name}") or str(index), value, index in new_locals)
                for index, value in enumerate(locals_)
            ),
            "labels": _cut_rows(
                {
                    "name": str(depth),
                    "kind": label.kind,
                    "arity": label.arity,
                    "target": label.target,
                    "changed": len(labels) - 1 - depth in new_labels,
                }
                for depth, label in enumerate(reversed(labels))
            ),
            "globals": _cut_rows(
                _row(g.value.name or str(g.index), g.value, g.index in changes.globals)
                for g in session.view.globals()
            ),
            "frames": [
                {
                    "index": index,
                    "function": shown.function,
                    "name": shown.name,
                    "offset": shown.offset,
                    "parameters": ", ".join(_brief(value) for value in shown.locals[:4]),
                    "changed": index == 0 and changes.depth != 0,
                }
                for index, shown in enumerate(frames)
                if not MOST_FRAMES <= index < len(frames) - MOST_FRAMES
            ],
            "depth": len(frames),
        }

    def _breakpoint(self, point: Breakpoint) -> Answer:
        program, location = self._session.program, point.location
        return {
            "number": point.number,
            "function": location.function,
            "offset": location.offset,
            "name": program.function_name(location.function),
            "text": _code(program.line(location)),
            "condition": None if point.condition is None else point.condition.text,
            "hits": point.hits,
        }

    def _memory(self) -> Answer:
        """Return the rows of memory to show, with the marks in them."""
        session, total = self._session, self._session.view.memory_size()
        answer: Answer = {"wanted": self._wanted, "problem": None, "text": "", "start": 0}
        if self._wanted is None:
            found = focus(session)
            if found is not None:
                self._address, answer["text"] = found.address, found.text
        else:
            try:
                self._address = session.view.address(self._wanted)
                answer["text"] = f"{self._wanted} is {self._address:#x}"
            except DebuggerError as error:
                answer["problem"] = str(error)
        address = self._address
        if address >= total:
            answer["problem"] = f"Memory has no byte at {address:#x}: it ends at {total:#x}."
        start = max(0, min(address, total - 1) // _ROW * _ROW - _ROW)
        end = min(start + _ROW * _ROWS, total)
        marks = [("changed", low, low + size) for low, size in session.view.changes().memory]
        for access in session.view.accesses():
            kind = "writes" if access.is_write else "reads"
            marks.append((kind, access.address, access.address + access.size))
        for point in session.stops.watchpoints.values():
            marks.append(("watched", point.start, point.start + point.size))
        answer["start"] = start
        answer["total"] = total
        answer["hex"] = session.view.read_memory(start, max(end - start, 0)).hex()
        answer["marks"] = [
            (kind, max(low, start) - start, min(high, end) - start)
            for kind, low, high in marks
            if low < end and high > start
        ]
        return answer


def _code(line: Line) -> str:
    """Return an instruction without the comment that names its block."""
    return _cut(line.text.partition("  ;;")[0], 100)


def _row(name: str, value: Value, changed: bool) -> Answer:
    text = _cut(value_text(value.value), 100)
    return {"name": name, "type": str(value.type), "text": text, "changed": changed}


def _brief(value: Value) -> str:
    return f"{value.name or ''} {_cut(value_text(value.value), 20)}".strip()


def _cut_rows(rows: Iterable[Answer]) -> Answer:
    """Return the first rows, and the number of the others."""
    kept = list(rows)
    return {"rows": kept[:MOST_ROWS], "more": max(0, len(kept) - MOST_ROWS)}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
