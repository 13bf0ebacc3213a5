"""Tables of figures: as plain text, with `rich` if it is installed, or as Markdown."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

#: The text of a missing figure, and the sign after a ratio.
NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
REACHED = "reached"
NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        title: the subject.
        command: the command that repeats the measurement.
        columns: the heads; the first column holds names, the others figures.
        rows: one cell for each column.
        notes: remarks, such as a missing peer.
        seconds: the data of a chart: row -> column -> seconds.
    """

    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """A figure and its bound."""

    what: str
    value: float | None
    bound: float
    unit: str = TIMES
    at_least: bool = False
    why_none: str = "not available"

    @property
    def reached(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def row(self) -> list[str]:
        if self.value is None:
            measured, verdict = NOTHING, self.why_none
        else:
            measured = f"{figure(self.value)} {self.unit}"
            verdict = REACHED if self.reached else NOT_REACHED
        bound = f"{'at least' if self.at_least else 'at most'} {self.bound:g} {self.unit}"
        return [self.what, measured, bound, verdict]


#: What every command begins with, and the title of the table of all goals.
COMMAND = "python -m benchmarks "
ALL_GOALS = "What was aimed at"

GOAL_COLUMNS = ("goal", "measured", "bound", "")


def figure(value: float) -> str:
    """Format three significant digits without an exponent."""
    if value >= 100 or value == 0:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{figure(seconds / scale)} {unit}"
    return f"{figure(seconds * 1e9)} ns"


def times(value: float | None) -> str:
    return NOTHING if value is None else f"{figure(value)} {TIMES}"


def show(table: Table) -> None:
    """Print a table: with `rich` if it is installed, otherwise as plain text."""
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        _show_with_rich(table)
    else:
        print(plain(table), end="\n\n", flush=True)


def plain(table: Table) -> str:
    cells = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    lines = [table.title, ""]
    for row in cells:
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(padded).rstrip())
    lines.insert(3, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *table.notes, f"$ {table.command}"])


def markdown(tables: Iterable[Table]) -> str:
    """Return every table under its title, as Markdown."""
    parts = []
    for table in tables:
        lines = [f"**{table.title}** (`{table.command}`)", "", *_markdown_grid(table)]
        lines += ["", *(f"{note}  " for note in table.notes)] if table.notes else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def all_goals(tables: Iterable[Table]) -> Table:
    """Return one table of all goals, with the end of the command that measures each."""
    rows = [
        [*row, f"`{table.command.removeprefix(COMMAND)}`"]
        for table in tables
        if table.columns == GOAL_COLUMNS
        for row in table.rows
    ]
    return Table(ALL_GOALS, COMMAND.strip(), [*GOAL_COLUMNS, "command"], rows)


def updated(document: str, tables: Iterable[Table]) -> str:
    """Replace the tables of a document that were measured.

    A table lies between `<!-- benchmarks: TITLE -->` and `<!-- end -->`.
    """
    by_title = {table.title: table for table in tables}

    def replaced(match: re.Match[str]) -> str:
        table = by_title.get(match[2])
        if table is None:
            return match[0]
        return f"{match[1]}\n" + "\n".join(_markdown_grid(table)) + "\n\n<!-- end -->"

    pattern = r"(<!-- benchmarks: (.*?) -->\n).*?<!-- end -->"
    return re.sub(pattern, replaced, document, flags=re.DOTALL)


def _markdown_grid(table: Table) -> list[str]:
    return [
        "| " + " | ".join(table.columns) + " |",
        "|---|" + "---:|" * (len(table.columns) - 1),
        *("| " + " | ".join(row) + " |" for row in table.rows),
    ]


def _show_with_rich(table: Table) -> None:
    console_module = importlib.import_module("rich.console")
    table_module = importlib.import_module("rich.table")
    text_module = importlib.import_module("rich.text")
    grid = table_module.Table(title=table.title, title_justify="left", title_style="bold")
    for number, column in enumerate(table.columns):
        grid.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in table.rows:
        style = "red" if NOT_REACHED in row else ""
        grid.add_row(*map(text_module.Text, row), style=style)
    console = console_module.Console()
    console.print(grid)
    for note in table.notes:
        console.print(note, markup=False, highlight=False)
    console.print(f"$ {table.command}", style="dim", markup=False, highlight=False)
    console.print()
