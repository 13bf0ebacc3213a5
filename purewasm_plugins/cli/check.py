"""`purewasm check`: a line for each check of a file against the plugin ABI."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.granted import Grants
from purewasm_plugins.cli.loading import expanded, read_file
from purewasm_plugins.cli.options import (
    grant_options,
    limit_options,
    plugins_argument,
    wasi_options,
)
from purewasm_plugins.cli.output import console, print_error, print_json, progress, show, visible
from purewasm_plugins.plugin import PluginOptions
from purewasm_plugins.plugin.conformance import CALL_TIMEOUT, Check, Status
from purewasm_plugins.plugin.conformance import check as conformance
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from rich.console import Console

    from purewasm_plugins.wasi.grants import Wasi

_STYLES = {Status.PASS: "green", Status.WARNING: "yellow", Status.FAIL: "bold red"}

#: Columns of a check's status and of its name; the width of a terminal from which on the details
#: are in a third column.
_STATUS_WIDTH = 7
_NAME_WIDTH = 30
_WIDE = 80


@click.command(short_help="Check that files keep the plugin ABI.")
@plugins_argument
@limit_options(ResourceLimits(timeout=CALL_TIMEOUT), cached=True)
@wasi_options(shown=False)
@grant_options
@click.option("--json", "as_json", is_flag=True, help="Print the checks of each file as JSON.")
def check(
    plugins: tuple[str, ...],
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    grants: Grants,
    as_json: bool,
) -> int:
    """Check that files keep the plugin ABI v1, and say how to fix what does not.

    The tools are run, on short inputs and on large ones that their schemas allow, to see that they
    answer and that they leave their input alone. A warning concerns other hosts, or agents. A
    directory stands for the .wasm files in it, or else in its folders. The exit status is 1 if a
    check fails, and 3 if a file cannot be read.

    \b
    Examples:
      purewasm check shout_c
      purewasm check plugins/
    """
    paths, status = expanded(plugins)
    report: list[tuple[str, list[Check]]] = []
    out = console()
    for path in paths:
        try:
            given = grants.options(path)
            options = PluginOptions.merged(given, engine, limits, None, cache_dir, wasi)
            checks = conformance(read_file(path), options)
        except Failure as failure:
            print_error(failure.message)
            status = Exit.PLUGIN
            continue
        if len(paths) > 1 and not as_json:
            _show_heading(out, path, first=not report)
        found: list[Check] = []
        for item in _watched(checks, path):
            found.append(item)
            if not as_json:
                _show_check(out, item)
        if not as_json:
            click.echo(_summary(found))
        report.append((path, found))
    if as_json:
        print_json([_file_object(path, found) for path, found in report])
    elif len(paths) > 1:
        kept = sum(all(item.passed for item in found) for _, found in report)
        verb = "keeps" if kept == 1 else "keep"
        click.echo(f"\n{len(paths)} files: {kept} {verb} the plugin ABI v1")
    failed = any(not item.passed for _, found in report for item in found)
    return max(status, Exit.CHECK_FAILED if failed else Exit.OK)


def _file_object(path: str, found: list[Check]) -> dict[str, object]:
    return {
        "file": path,
        "passed": all(item.passed for item in found),
        "checks": [
            {"name": c.name, "status": str(c.status), "details": c.details, "fix": c.fix}
            for c in found
        ],
    }


def _watched(checks: Iterator[Check], plugin: str) -> Iterator[Check]:
    """Yield the checks as they are made; show progress during a slow one."""
    while True:
        with progress(f"checking {os.path.basename(plugin)}"):
            item = next(checks, None)
        if item is None:
            return
        yield item


def _show_heading(out: Console, path: str, *, first: bool) -> None:
    from rich.text import Text

    if not first:
        click.echo()
    show(out, Text(visible(path), style="bold"))


def _show_check(out: Console, item: Check) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    status = Text(f"{item.status.value:<{_STATUS_WIDTH}}", style=_STYLES[item.status])
    details = Text(visible(item.details))
    below = [Text(visible(line), style="italic") for line in item.fix.splitlines()]
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
        f"\n{len(found)} checks: {count[Status.PASS]} passed,"
        f" {count[Status.WARNING]} warning{'s' * (count[Status.WARNING] != 1)},"
        f" {count[Status.FAIL]} failed; {verdict} the plugin ABI v1"
    )
