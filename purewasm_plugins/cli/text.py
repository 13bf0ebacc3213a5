"""`purewasm assemble` and `purewasm wast`: modules and scripts in the text format."""

from __future__ import annotations

import os
import sys

import click

from purewasm_plugins.cli.completion import complete_file
from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure
from purewasm_plugins.cli.loading import text_failure
from purewasm_plugins.cli.options import limit_options
from purewasm_plugins.cli.output import print_error, progress, visible
from purewasm_plugins.errors import OutOfMemory, PluginError, TextError, WasmError
from purewasm_plugins.module import TEXT_SUFFIX, Module, read_bytes
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm.text.assembler import assemble as assembled
from purewasm_plugins.wasm.text.assembler import decode_source

#: Stands for standard output.
_STANDARD_OUTPUT = "-"

#: A script is run by a person, and has modules of any kind.
_LIMITS = ResourceLimits(memory_pages=65_536)


@click.command(short_help="Make the module of a text.")
@click.argument("file", metavar="FILE", shell_complete=complete_file)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_file,
    help="The file of the module; '-' is standard output. Otherwise the name of FILE with .wasm.",
)
@click.option("--no-check", is_flag=True, help="Write the module even if it is not valid.")
def assemble(file: str, output: str | None, no_check: bool) -> None:
    """Assemble a module in the WebAssembly text format, and write it into a .wasm file.

    The identifiers of the text go into the module's name section. A module that is not valid is
    not written.

    \b
    Examples:
      purewasm assemble shout.wat
      purewasm assemble shout.wat -o build/shout.wasm
    """
    source = _read(file)
    try:
        with progress(f"assembling {os.path.basename(file)}"):
            data = assembled(source) if no_check else Module.from_text(source, cache_dir="").data
    except OutOfMemory:
        raise Failure(f"{file}: {NO_ROOM}", Exit.PLUGIN) from None
    except WasmError as error:
        raise text_failure(error, file) from error
    _write(output or f"{file.removesuffix(TEXT_SUFFIX)}.wasm", data)


def _read(path: str) -> bytes:
    try:
        return read_bytes(path, "text")
    except PluginError as error:
        raise Failure(str(error), Exit.PLUGIN) from error


def _write(path: str, data: bytes) -> None:
    if path == _STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        return
    try:
        with open(path, "wb") as file:
            file.write(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Failure(f"cannot write '{path}': {reason or error}", Exit.USAGE) from error


@click.command(short_help="Run scripts of the WebAssembly test suite.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=complete_file)
@limit_options(_LIMITS)
def wast(files: tuple[str, ...], limits: ResourceLimits, engine: str | None) -> int:
    """Run scripts: modules, calls and assertions, as in the .wast files of the test suite.

    Each command of a script that fails has a line: its file and line, what it is, and what is
    wrong. A line for each file counts them. The exit status is 1 if a command fails, and 3 if a
    file cannot be read.

    \b
    Example:
      purewasm wast i32.wast block.wast
    """
    status = Exit.OK
    for path in files:
        try:
            failed = _run_script(path, limits, engine)
        except Failure as failure:
            print_error(failure.message)
            status = Exit.PLUGIN
            continue
        if failed:
            status = max(status, Exit.CHECK_FAILED)
    return status


def _run_script(path: str, limits: ResourceLimits, engine: str | None) -> int:
    """Run a script, print what fails, and return the number of the commands that fail."""
    # Imported here: `assemble` does not need it.
    from purewasm_plugins.wast import run_script

    try:
        text = decode_source(_read(path))
    except TextError as error:
        raise text_failure(error, path) from error
    count = failed = 0
    for outcome in run_script(text, engine=engine, limits=limits):
        count += 1
        if outcome.fault is not None:
            failed += 1
            click.echo(visible(f"{path}:{outcome.line}: {outcome.kind}: {outcome.fault}"))
    click.echo(visible(f"{path}: {count} commands, {failed} failed"))
    return failed
