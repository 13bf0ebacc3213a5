"""Printing: texts of strangers made harmless, tables, colours, and a sign of life."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.errors import escape_controls

if TYPE_CHECKING:
    # rich takes longer to import than most commands take to run: it is imported where it is used.
    from rich.console import Console, RenderableType
    from rich.progress import Progress

#: Characters of a text that are shown: a name may have millions.
SHOWN = 300

#: Rows of a table that are shown: a module may have a million exports.
ROWS = 1000

#: Seconds of silence before there is a sign of life.
PATIENCE = 1.0

#: Columns for what is not shown on a terminal: enough that nothing is wrapped.
_UNWRAPPED = 100_000

#: Lines of code that are coloured at a time.
_CHUNK = 200


def visible(text: str, limit: int = SHOWN) -> str:
    """A text on one line without anything that a terminal might act on.

    Control characters, those that change the direction of text, and everything else that has no
    shape become escapes, as in a Python string. What is too long is cut.
    """
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def readable(text: str) -> str:
    """A text of several lines without anything that a terminal acts on, but for tabs.

    Less is escaped than by `visible`: what joins letters and emoji, and spaces of all kinds, stay.
    """
    # A carriage return that does not end a line would have the terminal write over it.
    return "\r\n".join(escape_controls(line, keep="\n\t") for line in text.split("\r\n"))


def instructions(count: int) -> str:
    """So many instructions, in words."""
    return f"{count} instruction{'s' * (count != 1)}"


def print_error(message: str) -> None:
    """Say on standard error what went wrong, in a line."""
    click.echo(f"purewasm: {visible(message, 1000)}", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII: so no character in it means anything to a terminal."""
    click.echo(json.dumps(value, indent=2))


def console() -> Console:
    """Where commands print. Nothing in a text means markup."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _UNWRAPPED
    return console


def show(console: Console, renderable: RenderableType) -> None:
    """Print something, without spaces at the ends of lines where it is not on a terminal."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def show_table(console: Console, heading: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns under a heading, each cell made `visible`; `ROWS` of them.

    Nothing for no rows.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    if heading:
        show(console, Text(visible(heading), style="bold"))
    table = Table.grid(padding=(0, 2))
    hidden = len(rows) - ROWS
    rows = rows[:ROWS]
    # Rich gives an empty column a width, at the cost of the others.
    used = [column for column in range(len(rows[0])) if any(row[column] for row in rows)]
    for column in used:
        table.add_column(overflow="fold", style="" if column else "cyan")
    for row in rows:
        table.add_row(*(Text(visible(row[column])) for column in used))
    show(console, Padding(table, (0, 0, 0, 2), expand=False))
    if hidden > 0:
        show(console, Text(f"  … {hidden:,} more"))


@contextmanager
def progress(label: str) -> Iterator[None]:
    """After a while, show on standard error that work is going on, if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    spinner: list[Progress] = []
    timer = threading.Timer(PATIENCE, lambda: spinner.extend(_spinner(label)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for running in spinner:
            running.stop()


def _spinner(label: str) -> Iterator[Progress]:
    """A running spinner, where the terminal can show one."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_interactive:
        return
    text = TextColumn("{task.description}", markup=False)
    spinner = Progress(SpinnerColumn(), text, TimeElapsedColumn(), console=console, transient=True)
    spinner.add_task(visible(label, 60), total=None)
    spinner.tasks[0].start_time = spinner.get_time() - PATIENCE
    spinner.start()
    yield spinner


def print_code(lines: Iterable[str], language: str) -> None:
    """Print lines of code, in colours where it goes to a terminal.

    Args:
        lines: without line ends, free of control characters.
        language: what Pygments calls it.
    """
    out = console()
    if not out.is_terminal or out.no_color:
        for line in lines:
            click.echo(line)
        return
    from rich.syntax import Syntax

    syntax = Syntax("", language, theme="ansi_dark", background_color="default")
    # A few lines at a time, since colouring takes longer than all the rest; no construct of these
    # languages that a colour depends on goes over the end of a line.
    lines = iter(lines)
    while chunk := list(itertools.islice(lines, _CHUNK)):
        out.print(syntax.highlight("\n".join(chunk)), soft_wrap=True, end="")
