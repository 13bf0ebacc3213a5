"""The screen of `purewasm debug`: it shows a session and decides nothing.

It is made of panels: the code around the next instruction, the operand stack, the locals, the
labels, the memory that is accessed, and what was written through WASI. What the
last move changed is marked by a colour, and by a sign where there are no colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from purewasm_plugins.cli.output import show, visible
from purewasm_plugins.debugger import (
    DebugSession,
    FrameView,
    Line,
    Program,
    Stop,
    StopReason,
    Value,
    Written,
)
from purewasm_plugins.debugger.explain import explain
from purewasm_plugins.debugger.machine.effects import InPlay
from purewasm_plugins.debugger.wording import focus, value_text, why
from purewasm_plugins.errors import PluginError
from purewasm_plugins.wasm.opcodes import Immediates
from purewasm_plugins.wasm.text.printer import MAX_INDENTATION

CHANGED, DIM, HERE = "bold yellow", "bright_black", "bold white on blue"
ADDRESS, NAME, TYPE, BREAKPOINT = "cyan", "green", "bright_black", "bold red"

#: Rows of the screen beside the code, the fewest of the code, and those from which on there is room
#: for several labels.
_OTHER_ROWS, _LEAST_CODE, _ROOMY = 14, 9, 14
_BYTES = 16
#: Lines of output that the screen shows, and the bytes that these are taken from.
_OUTPUT_ROWS, _OUTPUT_BYTES = 3, 4096
_BAR = 20


def number(value: Any, program: Program | None = None) -> str:
    """Word a value, without characters that act on a terminal; see `value_text`."""
    return visible(value_text(value, program), 80)


class Screen:
    """The screen of a session, printed anew after each move.

    Attributes:
        session: what is shown.
        address: of the memory to show where no instruction accesses any; None for none.
    """

    def __init__(self, console: Console, session: DebugSession, title: str) -> None:
        self.console = console
        self.session = session
        self.address: int | None = None
        #: The last step whose output was printed as lines.
        self._printed = -1
        self._title = visible(title, 60)

    def stop(self, stop: Stop) -> None:
        """Show the current place, and why the session stopped there."""
        if not self.console.is_terminal:
            self._line(stop)
            return
        self.console.clear()
        self.console.print(self._heading())
        frame, crowded = self.session.view.frame(), False
        output = self._output_panel(stop)
        if frame is not None:
            machine, crowded = self._machine(frame, 0 if output is None else output.height or 0)
            self.console.print(machine)
        memory = self._memory_panel()
        if memory is not None and not crowded:
            self.console.print(memory)
        if output is not None:
            self.console.print(output)
        for sentence in self.sentences(stop):
            self.console.print(sentence)

    def picture(self, width: int = 100, height: int = 31) -> str:
        """Return the screen as an SVG image."""
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

    def output(self, written: Iterable[Written]) -> Iterable[Text]:
        """Word what a plugin has written, line by line; a terminal acts on none of it."""
        for stream, data in written:
            style = "red" if stream == "stderr" else ""
            for line in data.decode("utf-8", "replace").splitlines():
                yield Text(visible(line), style=style, no_wrap=True, overflow="ellipsis")

    def _output_panel(self, stop: Stop) -> Panel | None:
        """Draw the last lines that the plugin has written."""
        lines = [*self.output(self.session.console.written(stop.step, most=_OUTPUT_BYTES))]
        if not lines:
            return None
        shown = lines[-_OUTPUT_ROWS:]
        return _panel(Group(*shown), "output", height=len(shown) + 2)

    def _line(self, stop: Stop) -> None:
        """Print the same as lines of text, for a pipe."""
        for written in self.session.console.written(stop.step, self._printed):
            for text in self.output([written]):
                show(self.console, Text(f"{written.stream}: ").append(text))
        self._printed = max(self._printed, stop.step)
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
        """Word why the session stopped, and what the next instruction does."""
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

    def _machine(self, frame: FrameView, taken: int) -> tuple[RenderableType, bool]:
        """Draw code, operands, locals and labels; tell whether they took more rows than usual.

        Args:
            frame: the innermost frame.
            taken: rows that the output takes.
        """
        usual = max(self.console.height - _OTHER_ROWS - taken, _LEAST_CODE)
        in_play = self.session.view.in_play()
        heights = layout(
            usual,
            operands=(len(frame.operands), min(in_play.operands, len(frame.operands))),
            locals=(len(frame.locals), len(in_play.locals)),
            labels=len(frame.labels),
        )
        grid = Table.grid(expand=True)
        grid.add_column(ratio=3)
        grid.add_column(ratio=2)
        grid.add_row(self._code(frame, heights.code), self._side(frame, in_play, heights))
        return grid, heights.code > usual

    def _code(self, frame: FrameView, rows: int) -> Panel:
        before = min(rows // 2, rows - 4)
        lines = self.session.view.lines(before, rows)[:rows]
        return _panel(self.code(lines), frame.name, height=rows + 2)

    def code(self, lines: Iterable[Line]) -> Text:
        """Draw lines of the disassembly, with marks at the next one and at breakpoints."""
        stop = self.session.stop
        points = {point.location.offset for point in self.session.stops.breakpoints.values()}
        text = Text(no_wrap=True, overflow="ellipsis")
        for line in lines:
            here = line.function == stop.function and line.offset == stop.offset
            text.append("●" if line.offset in points else " ", style=BREAKPOINT)
            text.append("▶ " if here else "  ", style="bold")
            text.append(f"{line.offset:#07x}", style=ADDRESS)
            code, _, comment = line.text.partition("  ;;")
            indent = "  " * min(line.depth, MAX_INDENTATION)
            text.append(f"  {indent}")
            text.append(visible(code), style=HERE if here else "")
            text.append(f"  ;;{visible(comment)}" if comment else "", style=DIM)
            text.append("\n")
        text.rstrip()
        return text

    def _side(self, frame: FrameView, in_play: InPlay, heights: Heights) -> RenderableType:
        """Draw operands, locals and labels."""
        changes = self.session.view.changes()
        changed_locals = changes.locals if changes.depth == 0 else frozenset()
        soon = {
            line.instruction.immediates[0]
            for line in self.session.view.lines(0, heights.code // 2)
            if line.instruction.opcode.immediates is Immediates.LOCAL
        }
        operands = [
            _Row(
                "top" if place == 0 else "",
                value,
                index in changes.operands,
                place < in_play.operands,
            )
            for place, (index, value) in enumerate(reversed([*enumerate(frame.operands)]))
        ]
        locals_ = [
            _Row(
                f"${value.name}" if value.name else str(index),
                value,
                index in changed_locals,
                index in in_play.locals,
                index in soon,
            )
            for index, value in enumerate(frame.locals)
        ]
        panels = [
            _panel(
                _values(operands, heights.operands, "empty"),
                "operand stack",
                height=heights.operands + 2,
            ),
            _panel(_values(locals_, heights.locals, "none"), "locals", height=heights.locals + 2),
        ]
        if heights.labels:
            labels = Group(*self._labels(frame, heights.labels))
            panels.append(_panel(labels, "labels", height=heights.labels + 2))
        return Group(*panels)

    def _labels(self, frame: FrameView, rows: int) -> list[Text]:
        """Word the innermost labels; the last row tells how many more there are."""
        shown = []
        changed = self.session.view.changes().labels
        for depth, label in enumerate(reversed(frame.labels[-rows:])):
            text = Text(no_wrap=True, overflow="ellipsis")
            text.append(f"{depth:>2} ", style=NAME)
            text.append(f"{label.kind:<8}")
            text.append(f" → {label.target:#x}", style=ADDRESS)
            carries = "" if not label.arity else f" takes {label.arity}"
            text.append(carries, style=DIM)
            if len(frame.labels) - 1 - depth in changed:
                text.append(" *", style=CHANGED)
            shown.append(text)
        if len(frame.labels) > rows:
            shown[-1].append(f"  … {len(frame.labels) - rows} more", style=DIM)
        return shown

    def _memory_panel(self) -> Panel | None:
        """Draw the memory that the next instruction accesses, or that the last move changed."""
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
        """Draw bytes in rows, with those in colour that are accessed or were changed."""
        session = self.session
        content = session.view.memory_from(address, size)
        size = len(content)
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
        """List the active functions, innermost first."""
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


class _Row(NamedTuple):
    """A value of a list.

    Attributes:
        name, value: what is drawn.
        changed: whether the last move changed it.
        in_play: whether the next instruction uses it.
        soon: whether one of the following lines names it.
    """

    name: str
    value: Value
    changed: bool
    in_play: bool
    soon: bool = False


class Heights(NamedTuple):
    """The rows inside each panel; no labels are shown where they get none."""

    code: int
    operands: int
    locals: int
    labels: int


def layout(rows: int, operands: tuple[int, int], locals: tuple[int, int], labels: int) -> Heights:
    """Share the rows beside the code among operands, locals and labels.

    What is in play is never hidden: the labels shrink before it, and then all of it grows.

    Args:
        rows: the rows of the code.
        operands, locals: how many there are, and how many of them are in play.
        labels: how many there are.
    """
    least_operands, least_locals = _least(*operands), _least(*locals)
    # Each panel has a border of two rows, and so has the code.
    spare = rows - 2 - least_operands - least_locals
    labels = min(labels, 3 if rows >= _ROOMY else 1, max(spare - 2, 0))
    if labels:
        spare -= labels + 2
    elif spare < 0:
        rows, spare = rows - spare, 0
    more_operands = max(operands[0] - least_operands, 0)
    more_locals = max(locals[0] - least_locals, 0)
    more_locals = min(more_locals, max(spare // 2, spare - more_operands))
    return Heights(rows, least_operands + spare - more_locals, least_locals + more_locals, labels)


def _least(count: int, in_play: int) -> int:
    """Return the fewest rows of a list: for what is in play, and for the rest together."""
    return max(in_play + (count > in_play), 1)


def _values(rows: Sequence[_Row], room: int, nothing: str) -> RenderableType:
    """Draw a list of values, those in play in any case."""
    if not rows:
        return Text(nothing, style=DIM)
    shown = [*range(len(rows))]
    if len(rows) > room:

        def order(at: int) -> tuple[bool, bool, bool, int]:
            row = rows[at]
            return not row.in_play, not row.changed, not row.soon, at

        shown = sorted(sorted(shown, key=order)[: room - 1])
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=14, style=NAME)
    table.add_column(no_wrap=True, style=TYPE)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for row in (rows[at] for at in shown):
        text = Text(number(row.value.value), style=CHANGED if row.changed else "")
        if row.changed:
            text.append(" *")
        table.add_row(visible(row.name), str(row.value.type), text)
    if len(shown) < len(rows):
        table.add_row("", "", Text(f"… {len(rows) - len(shown)} more", style=DIM))
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
