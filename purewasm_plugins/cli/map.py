"""`purewasm map`: a tool on each line of a file, in several processes."""

from __future__ import annotations

import json
import os
import stat
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from purewasm_plugins.cli.exits import Exit, Failure, advice
from purewasm_plugins.cli.inputs import decoded, lines_of, opened_input, read_arguments
from purewasm_plugins.cli.loading import find_tool, load_plugin
from purewasm_plugins.cli.options import (
    input_file_option,
    limit_options,
    plugin_argument,
    tool_argument,
    wasi_options,
)
from purewasm_plugins.cli.output import print_error, readable, visible
from purewasm_plugins.errors import InvalidArgumentsError, PluginError, ToolExecutionError
from purewasm_plugins.plugin import PluginTool
from purewasm_plugins.plugin.mapping import MappedResult, map_tool
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from rich.progress import Progress

    from purewasm_plugins.wasi.grants import Wasi


@click.command(short_help="Run a tool on each line of a file.")
@plugin_argument
@tool_argument
@input_file_option
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    default=os.cpu_count() or 1,
    show_default="one for each processor",
    help="Processes that work at a time.",
)
@click.option("--unordered", is_flag=True, help="Print results as they are done; implies --json.")
@click.option("--fail-fast", is_flag=True, help="End with the first line that fails.")
@limit_options(cached=True)
@wasi_options(shown=False)
@click.option("--json", "as_json", is_flag=True, help="Print an object for each line.")
def map(
    plugin: str,
    tool: str,
    input_file: str | None,
    jobs: int,
    unordered: bool,
    fail_fast: bool,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    as_json: bool,
) -> int:
    """Run a tool on each line of a file, in several processes, and print each output on a line.

    Without --input-file, or with '-', the lines are those of standard input, which may go on: they
    are read as they are needed. A tool with a schema takes a JSON object on each line.

    A line that fails has an error on standard error and an empty line in the output; the others
    go on, and the exit status is 4. The limits are those of each call. What the plugin writes
    through WASI is dropped.

    \b
    Examples:
      purewasm map c_encode sha256 --input-file lines.txt --jobs 4
      purewasm map c_json json_compact --json < objects.txt
    """
    loaded = load_plugin(plugin, limits, engine, cache_dir, wasi)
    try:
        found = find_tool(loaded, tool)
    except ToolExecutionError as error:
        raise Failure(str(error), Exit.TOOL) from error
    file, name = opened_input(input_file)
    with file, _progress(file) as progress:
        lines = _Lines(found, file, name)
        printer = _Printer(lines, as_json or unordered, fail_fast, progress)
        results = map_tool(
            loaded, found.index, lines, executor=jobs, ordered=not unordered, on_error="return"
        )
        with closing(results):
            try:
                for result in results:
                    printer.show(result)
            except PluginError as error:
                raise Failure(f"{plugin}: {error}", Exit.PLUGIN) from error
        printer.show_refused()
    return Exit.TOOL if printer.failed else Exit.OK


class _Lines:
    """The inputs in a file: its lines, without those that cannot be arguments of the tool.

    Attributes:
        size: bytes that were read.
        refused: the lines that were left out: number, and why.
    """

    def __init__(self, tool: PluginTool, file: BinaryIO, name: str) -> None:
        self.size = 0
        self.refused: list[tuple[int, InvalidArgumentsError]] = []
        self._tool = tool
        self._file = file
        self._name = name
        #: For each line that was left out, the inputs before it.
        self._before: list[int] = []

    def __iter__(self) -> Iterator[str | dict[str, Any]]:
        inputs = 0
        for number, line in enumerate(lines_of(self._file, self._name), 1):
            self.size += len(line)
            text = decoded(line, f"line {number} of {self._name}")
            text = text.removesuffix("\n").removesuffix("\r")
            try:
                yield text if self._tool.schema is None else read_arguments(self._tool, text)
                inputs += 1
            except InvalidArgumentsError as error:
                self.refused.append((number, error))
                self._before.append(inputs)

    def number(self, index: int) -> int:
        """Return the number of the line of an input."""
        return index + bisect_right(self._before, index) + 1


class _Printer:
    """The output: each result on a line, and each error on one of standard error.

    Attributes:
        failed: the number of lines that failed.
    """

    def __init__(
        self, lines: _Lines, as_json: bool, fail_fast: bool, progress: Progress | None
    ) -> None:
        self.failed = 0
        self._lines = lines
        self._as_json = as_json
        self._fail_fast = fail_fast
        self._progress = progress
        self._done = 0
        self._refused = 0
        self._to_terminal = sys.stdout.isatty()

    def show(self, result: MappedResult) -> None:
        """Print a result, and the lines before it that were left out."""
        number = self._lines.number(result.index)
        self.show_refused(number)
        self._show(number, result.output, result.error)

    def show_refused(self, before: int | None = None) -> None:
        """Print the lines that were left out: those before a line, or all."""
        for number, error in self._lines.refused[self._refused :]:
            if before is not None and number > before:
                return
            self._refused += 1
            self._show(number, "", error)

    def _show(self, number: int, output: str, error: Exception | None) -> None:
        self._done += 1
        if error is not None:
            self.failed += 1
            message = f"line {number}: {error}{advice(error)}"
            if self._fail_fast:
                raise Failure(message, Exit.TOOL) from error
            self._print_error(message)
        if self._as_json:
            failure = None if error is None else str(error)
            output = json.dumps({"line": number, "output": output, "error": failure})
        self._print(output)
        if self._progress is not None:
            failed = f", {self.failed:,} failed" if self.failed else ""
            description = f"{self._done:,} lines{failed}"
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=self._lines.size, description=description)

    def _print(self, line: str) -> None:
        if not self._to_terminal:
            # As bytes: the output is UTF-8 in every locale.
            click.echo(line.encode())
        elif self._progress is None:
            click.echo(readable(line))
        else:
            # Above the bar, which is on the same terminal.
            self._progress.console.print(readable(line), soft_wrap=True)

    def _print_error(self, message: str) -> None:
        if self._progress is None:
            print_error(message)
        else:
            line = f"purewasm: {visible(message, 1000)}"
            self._progress.console.print(line, soft_wrap=True)


@contextmanager
def _progress(file: BinaryIO) -> Iterator[Progress | None]:
    """Show a bar on standard error, if that is a terminal: the part of the file that was read."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not console.is_interactive:
        yield None
        return
    text = TextColumn("{task.description}", markup=False)
    with Progress(
        text,
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        progress.add_task("starting", total=_size(file))
        yield progress


def _size(file: BinaryIO) -> int | None:
    """Return the bytes of a regular file, or None."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
