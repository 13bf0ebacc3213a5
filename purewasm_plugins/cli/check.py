"""`purewasm check`: does a file keep the plugin ABI? A line for each check."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.exits import Exit
from purewasm_plugins.cli.loading import read_file
from purewasm_plugins.cli.options import limit_options, plugin_argument
from purewasm_plugins.cli.output import console, print_json, progress, show, visible
from purewasm_plugins.plugin.conformance import CALL_TIMEOUT, Check, Status
from purewasm_plugins.plugin.conformance import check as conformance
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {Status.PASS: "green", Status.WARNING: "yellow", Status.FAIL: "bold red"}

#: Columns of a check's status and name, and what a terminal must have for the rest to stand beside.
_STATUS_WIDTH = 7
_NAME_WIDTH = 30
_WIDE = 80


@click.command(short_help="Check that a file keeps the plugin ABI.")
@plugin_argument
@limit_options(timeout=CALL_TIMEOUT)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def check(plugin: str, limits: ResourceLimits, engine: str | None, as_json: bool) -> int:
    """Check that a file keeps the plugin ABI v1, and say what to do where it does not.

    Its tools are run, on short inputs and on large ones, to see that they answer and that they
    leave their input alone. Warnings are about other hosts and about agents. The exit status is 1
    if a check fails.

    \b
    Example:
      purewasm check plugin.wasm
    """
    data = read_file(plugin)
    checks = conformance(data, engine=engine, limits=limits)
    found: list[Check] = []
    out = console()
    for item in _watched(checks, plugin):
        found.append(item)
        if not as_json:
            _show_check(out, item)
    if as_json:
        print_json(
            [
                {"name": c.name, "status": str(c.status), "details": c.details, "mend": c.mend}
                for c in found
            ]
        )
    else:
        click.echo(_summary(found))
    return Exit.OK if all(c.passed for c in found) else Exit.CHECK_FAILED


def _watched(checks: Iterator[Check], plugin: str) -> Iterator[Check]:
    """The checks as they are made; a slow one shows that it goes on."""
    while True:
        with progress(f"checking {os.path.basename(plugin)}"):
            item = next(checks, None)
        if item is None:
            return
        yield item


def _show_check(out: Console, item: Check) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    status = Text(f"{item.status.value:<{_STATUS_WIDTH}}", style=_STYLES[item.status])
    details = Text(visible(item.details))
    below = [Text(visible(line), style="italic") for line in item.mend.splitlines()]
    if out.width < _WIDE:
        show(out, Text.assemble(status, "  ", visible(item.name)))
        below = [details, *below] if details else below
    else:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(status, Text(f"{visible(item.name):<{_NAME_WIDTH}}"), details)
        show(out, table)
    for text in below:
        show(out, Padding(text, (0, 0, 0, _STATUS_WIDTH + 2), expand=False))


def _summary(found: list[Check]) -> str:
    count = Counter(item.status for item in found)
    verdict = "it does not keep" if count[Status.FAIL] else "it keeps"
    return (
        f"\n{len(found)} checks: {count[Status.PASS]} passed, {count[Status.WARNING]} warnings,"
        f" {count[Status.FAIL]} failed; {verdict} the plugin ABI v1"
    )
