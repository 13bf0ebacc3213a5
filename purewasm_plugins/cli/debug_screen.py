"""What the debugger shows: a session in, things that rich prints out. Nothing is decided here.

The screen is made of panels: the code around the next instruction, the operand stack, the locals,
the labels, and the memory that is being touched. What the last move changed is marked by a colour,
and by a sign where there are no colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from purewasm_plugins.cli.output import show, visible
from purewasm_plugins.debugger import DebugSession, FrameView, Line, Stop, StopReason, Value
from purewasm_plugins.debugger.explain import explain
from purewasm_plugins.debugger.wording import focus, value_text, why
from purewasm_plugins.errors import PluginError

CHANGED, DIM, HERE = "bold yellow", "bright_black", "bold white on blue"
ADDRESS, NAME, TYPE, BREAKPOINT = "cyan", "green", "bright_black", "bold red"

#: Rows that the screen takes beside the code, and the fewest that the code gets.
_OTHER_ROWS, _LEAST_CODE = 15, 9
_BYTES = 16
_BAR = 20


def number(value: Any) -> str:
    """A value as text that a terminal may print."""
    return visible(value_text(value), 80)


class Screen:
    """Prints a session, each time from what it is then.

    Attributes:
        session: what is shown.
        address: where the memory panel looks if nothing is being touched; None for nowhere.
    """

    def __init__(self, console: Console, session: DebugSession, title: str) -> None:
        self.console = console
        self.session = session
        self.address: int | None = None
        self._title = visible(title, 60)

    def stop(self, stop: Stop) -> None:
        """Show where the session stands, and why."""
        if not self.console.is_terminal:
            self._line(stop)
            return
        self.console.clear()
        self.console.print(self._heading())
        if stop.function is not None:
            self.console.print(self._machine())
        memory = self._memory_panel()
        if memory is not None:
            self.console.print(memory)
        for sentence in self.sentences(stop):
            self.console.print(sentence)

    def picture(self, width: int = 100, height: int = 31) -> str:
        """The screen as it would be drawn now, as an SVG image."""
        kept = self.console
        self.console = Console(
            file=io.StringIO(),
            record=True,
            force_terminal=True,
            color_system="truecolor",
            width=width,
            height=height,
            highlight=False,
            legacy_windows=False,
        )
        try:
            self.stop(self.session.stop)
            return self.console.export_svg(title="purewasm debug")
        finally:
            self.console = kept

    def _line(self, stop: Stop) -> None:
        """The same in lines of text, for a pipe."""
        for sentence in self.sentences(stop):
            show(self.console, sentence)
        if stop.function is None:
            return
        frame = self.session.view.frames()[0]
        line = next(line for line in self.session.view.lines() if line.offset == stop.offset)
        stack = ", ".join(f"{value.type} {number(value.value)}" for value in frame.operands)
        where = f"{stop.step:>6}  {visible(frame.name)}  {line.offset:#x}  {visible(line.text)}"
        show(self.console, Text(where + (f"   [{stack}]" if stack else "")))

    def sentences(self, stop: Stop) -> Iterable[Text]:
        """Why it stopped, and what the next instruction does."""
        session = self.session
        reason = visible(why(stop, session.program), 1000)
        if reason:
            style = "bold red" if stop.trap or stop.exception else "bold"
            yield Text(reason, style=style)
        if stop.reason is StopReason.FINISHED:
            yield from self._result(stop)
        if stop.error is not None:
            yield Text(f"Its condition failed: {stop.error}", style="bold red")
        if stop.instruction is not None and self.console.is_terminal:
            text = Text(f"{stop.instruction.opcode}: ", style="bold")
            yield text.append(explain(stop.instruction.opcode), style="not bold")

    def _result(self, stop: Stop) -> Iterable[Text]:
        try:
            output = self.session.output
        except PluginError as error:
            yield Text(str(error), style="bold red")
            return
        if output is not None:
            text = Text("The tool answers ", style="bold")
            yield text.append(f'"{visible(output, 200)}"', style="bold green")
        else:
            results = ", ".join(number(value) for value in stop.results or ())
            yield Text(f"It returned {results or 'nothing'}.", style="bold")

    def _heading(self) -> Text:
        session = self.session
        last = max(session.last_step, 1)
        position = min(_BAR, round(_BAR * session.step_number / last))
        bar = f"{'━' * position}●{'─' * (_BAR - position)}"
        right = f" {bar} step {session.step_number:,} of {session.last_step:,}"
        heading = Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        room = self.console.width - len(right)
        heading.truncate(max(room, 10), overflow="ellipsis", pad=True)
        return heading.append(right[-self.console.width :], style="cyan")

    def _machine(self) -> RenderableType:
        frame = self.session.view.frames()[0]
        rows = max(self.console.height - _OTHER_ROWS, _LEAST_CODE)
        side = self._side(frame, rows)
        grid = Table.grid(expand=True)
        grid.add_column(ratio=3)
        grid.add_column(ratio=2)
        grid.add_row(self._code(frame, rows), side)
        return grid

    def _code(self, frame: FrameView, rows: int) -> Panel:
        before = min(rows // 2, rows - 4)
        lines = self.session.view.lines(before, rows)[:rows]
        return _panel(self.code(lines), frame.name, height=rows + 2)

    def code(self, lines: Iterable[Line]) -> Text:
        """Lines of the disassembly, the next one marked, and those with a breakpoint."""
        stop = self.session.stop
        points = {point.location.offset for point in self.session.stops.breakpoints.values()}
        text = Text(no_wrap=True, overflow="ellipsis")
        for line in lines:
            here = line.function == stop.function and line.offset == stop.offset
            text.append("●" if line.offset in points else " ", style=BREAKPOINT)
            text.append("▶ " if here else "  ", style="bold")
            text.append(f"{line.offset:#07x}", style=ADDRESS)
            code, _, comment = line.text.partition("  ;;")
            indent = "  " * min(line.depth, 12)
            text.append(f"  {indent}")
            text.append(visible(code), style=HERE if here else "")
            text.append(f"  ;;{visible(comment)}" if comment else "", style=DIM)
            text.append("\n")
        text.rstrip()
        return text

    def _side(self, frame: FrameView, rows: int) -> RenderableType:
        changes = self.session.view.changes()
        changed_locals = changes.locals if changes.depth == 0 else frozenset()
        room = max(rows - 2, 7)
        labels = self._labels(frame, min(len(frame.labels), 3))
        locals_rows = min(len(frame.locals), max(2, (room - len(labels)) // 2)) or 1
        stack_rows = max(rows - locals_rows - len(labels) - 4, 2)
        stack = list(reversed(list(enumerate(frame.operands))))
        return Group(
            _panel(
                _values(
                    [
                        ("top" if place == 0 else "", value, index in changes.operands)
                        for place, (index, value) in enumerate(stack)
                    ],
                    stack_rows,
                    "empty",
                ),
                "operand stack",
                height=stack_rows + 2,
            ),
            _panel(
                _values(
                    [
                        (
                            (value.name and f"${value.name}") or str(index),
                            value,
                            index in changed_locals,
                        )
                        for index, value in enumerate(frame.locals)
                    ],
                    locals_rows,
                    "none",
                ),
                "locals",
                height=locals_rows + 2,
            ),
            _panel(Group(*labels), "labels", height=len(labels) + 2),
        )

    def _labels(self, frame: FrameView, rows: int) -> list[Text]:
        shown = []
        changed = self.session.view.changes().labels
        for depth, label in enumerate(reversed(frame.labels)):
            if depth == rows - 1 and len(frame.labels) > rows:
                shown.append(Text(f"… {len(frame.labels) - depth} more", style=DIM))
                break
            text = Text(no_wrap=True, overflow="ellipsis")
            text.append(f"{depth:>2} ", style=NAME)
            text.append(f"{label.kind:<8}")
            text.append(f" → {label.target:#x}", style=ADDRESS)
            carries = "" if not label.arity else f" takes {label.arity}"
            text.append(carries, style=DIM)
            if len(frame.labels) - 1 - depth in changed:
                text.append(" *", style=CHANGED)
            shown.append(text)
        return shown

    def _memory_panel(self) -> Panel | None:
        """The memory that the next instruction touches, or that the last move changed."""
        found = focus(self.session)
        if found is not None:
            self.address = found.address
        if self.address is None:
            return None
        title = "memory" if found is None else f"memory: {found.text}"
        start = max(0, self.address // _BYTES * _BYTES - _BYTES)
        text = self.memory(start, 3 * _BYTES)
        return _panel(text, title, height=5)

    def memory(self, address: int, size: int) -> Text:
        """Bytes in rows, what is being touched or was changed in colour."""
        session = self.session
        size = min(size, session.view.memory_size() - address)
        content = session.view.read_memory(address, max(size, 0))
        styles: dict[int, str] = {}
        for start, length in session.view.changes().memory:
            for at in range(max(start, address), min(start + length, address + size)):
                styles[at] = CHANGED
        for access in session.view.accesses():
            style = "bold white on red" if access.is_write else "bold black on cyan"
            end = min(access.address + access.size, address + size)
            for at in range(max(access.address, address), end):
                styles[at] = style
        text = Text(no_wrap=True, overflow="ellipsis")
        for row in range(0, size, _BYTES):
            text.append(f"{address + row:08x} ", style=ADDRESS)
            for column, byte in enumerate(content[row : row + _BYTES]):
                text.append("  " if column == 8 else " ")
                style = styles.get(address + row + column, "" if byte else DIM)
                text.append(f"{byte:02x}", style=style)
            text.append("  ")
            for column, byte in enumerate(content[row : row + _BYTES]):
                style = styles.get(address + row + column, "" if byte else DIM)
                text.append(chr(byte) if 32 <= byte < 127 else ".", style=style)
            text.append("\n")
        text.rstrip()
        return text

    def backtrace(self) -> Text:
        """The active functions, innermost first."""
        text = Text(no_wrap=True, overflow="ellipsis")
        for place, frame in enumerate(self.session.view.frames()):
            text.append(f"{place:>3} ", style=NAME)
            text.append(f"{frame.offset:#07x} ", style=ADDRESS)
            text.append(visible(frame.name), style="bold")
            parameters = ", ".join(_short(value) for value in frame.locals[:6])
            text.append(f"  ({parameters})\n", style=DIM)
        text.rstrip()
        return text


def _short(value: Value) -> str:
    shown = visible(str(value.value), 24)
    return f"${visible(value.name, 24)} {shown}" if value.name else shown


def _values(rows: Sequence[tuple[str, Value, bool]], room: int, nothing: str) -> RenderableType:
    if not rows:
        return Text(nothing, style=DIM)
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=14, style=NAME)
    table.add_column(no_wrap=True, style=TYPE)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for place, (name, value, changed) in enumerate(rows):
        if place == room - 1 and len(rows) > room:
            table.add_row("", "", Text(f"… {len(rows) - place} more", style=DIM))
            break
        shown = Text(number(value.value), style=CHANGED if changed else "")
        if changed:
            shown.append(" *")
        table.add_row(visible(name), str(value.type), shown)
    return table


def _panel(content: RenderableType, title: str, height: int | None = None) -> Panel:
    return Panel(
        content,
        title=Text(visible(title, 60), style="bold"),
        title_align="left",
        box=box.ROUNDED,
        border_style=DIM,
        height=height,
        padding=(0, 1),
    )
