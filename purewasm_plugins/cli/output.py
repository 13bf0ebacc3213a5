"""Printing: escapes for texts that a plugin chose, tables, colours, and a progress display."""

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
    # Importing rich takes longer than most commands run: each function that needs it imports it.
    from rich.console import Console, RenderableType
    from rich.progress import Progress

#: Characters of a text that are shown; a name may have millions.
SHOWN = 300

#: Rows of a table that are shown; a module may have a million exports.
ROWS = 1000

#: Seconds after which progress is shown.
PATIENCE = 1.0

#: The width of an output that is not a terminal: enough that nothing is wrapped.
_UNWRAPPED = 100_000

#: Lines of code that are coloured at a time.
_CHUNK = 200


def visible(text: str, limit: int = SHOWN) -> str:
    """Return a text on one line without anything that a terminal might act on.

    Each character that is not printable (controls, line ends, changes of direction) becomes an
    escape, as in a Python string. A text longer than `limit` is cut, and its length is given.
    """
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def readable(text: str) -> str:
    """Return a text of several lines in which a terminal acts on tabs and line ends only.

    `visible` escapes more: here, joiners of letters and emoji, and spaces of all kinds, stay.
    """
    # A carriage return inside a line would make the terminal overwrite the line: it is escaped.
    return "\r\n".join(escape_controls(line, keep="\n\t") for line in text.split("\r\n"))


def instructions(count: int) -> str:
    """Return a number of instructions in words."""
    return f"{count} instruction{'s' * (count != 1)}"


def print_error(message: str) -> None:
    """Print an error on standard error, in one line."""
    click.echo(f"purewasm: {visible(message, 1000)}", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII: a terminal acts on none of its characters."""
    click.echo(json.dumps(value, indent=2))


def console() -> Console:
    """Return the console of standard output, which takes nothing in a text for markup."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _UNWRAPPED
    return console


def show(console: Console, renderable: RenderableType) -> None:
    """Print a renderable, without spaces at the ends of lines where it is no terminal."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def show_table(console: Console, heading: str, rows: Sequence[Sequence[str]]) -> None:
    """Print the first `ROWS` rows in columns under a heading, each cell made `visible`.

    Where there are no rows, the heading is not printed either.
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
    # Rich would give an empty column a width, and the others less.
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
    """Show a spinner on standard error, if that is a terminal, from `PATIENCE` seconds on."""
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
    """Yield a running spinner, if the terminal can show one."""
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
    """Print lines of code, in colours on a terminal.

    Args:
        lines: the lines, without line ends and control characters.
        language: the name that Pygments has for the language.
    """
    out = console()
    if not out.is_terminal or out.no_color:
        for line in lines:
            click.echo(line)
        return
    from rich.syntax import Syntax

    syntax = Syntax("", language, theme="ansi_dark", background_color="default")
    # A few lines at a time: colouring takes longer than all the rest. It needs no more context,
    # since no token of these languages spans lines.
    lines = iter(lines)
    while chunk := list(itertools.islice(lines, _CHUNK)):
        out.print(syntax.highlight("\n".join(chunk)), soft_wrap=True, end="")
