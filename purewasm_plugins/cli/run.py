"""`purewasm run`: a tool's output, and nothing else."""

from __future__ import annotations

import re
import sys

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.loading import load_plugin
from purewasm_plugins.cli.options import limit_options, plugin_argument
from purewasm_plugins.cli.output import progress, readable
from purewasm_plugins.errors import ToolExecutionError, Trap
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.limits import ResourceLimits


@click.command(short_help="Run a tool of a plugin.")
@plugin_argument
@click.argument("tool", metavar="TOOL")
@click.argument("input", required=False, metavar="[INPUT]")
@limit_options(cached=True)
@click.option("--raw", is_flag=True, help="Print the output as it is, to a terminal, too.")
@click.option("--backtrace", is_flag=True, help="Show the WebAssembly backtrace of a trap.")
def run(
    plugin: str,
    tool: str,
    input: str | None,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str | None,
    raw: bool,
    backtrace: bool,
) -> None:
    """Run a tool of a plugin and print its output.

    TOOL is the tool's name, or else its index. INPUT is the text that it works on; '-' stands for
    standard input, and so does no INPUT unless standard input is a terminal. A tool with a schema
    takes its arguments as JSON. Put '--' before a TOOL or INPUT that starts with a dash.

    The output is printed as it is, in UTF-8. On a terminal, control characters in it are shown as
    escapes (with --raw, they act there), and a line end is added where it has none.

    \b
    Examples:
      purewasm run plugin.wasm shout "hello"
      purewasm run json.wasm format < data.json
    """
    loaded = load_plugin(plugin, limits, engine, cache_dir)
    text = _standard_input() if input == "-" or (input is None and _piped()) else input or ""
    try:
        with progress(f"running {tool}"):
            output = loaded.execute_tool(_name_or_index(loaded, tool), text)
    except ToolExecutionError as error:
        cause = error.__cause__
        lines = cause.backtrace() if backtrace and isinstance(cause, Trap) else ()
        trailer = tuple(f"  {line}" for line in lines)
        raise Failure(str(error), Exit.TOOL, trailer) from error
    to_terminal = sys.stdout.isatty()
    if to_terminal and not raw:
        output = readable(output)
    # As bytes: the output is UTF-8, whatever the locale says.
    click.echo(output.encode(), nl=to_terminal and not output.endswith("\n"))


def _name_or_index(plugin: WasmPlugin, tool: str) -> str | int:
    if any(tool == known.name for known in plugin.tools):
        return tool
    return int(tool) if re.fullmatch(r"-?[0-9]{1,9}", tool) else tool


def _piped() -> bool:
    return sys.stdin is not None and not sys.stdin.isatty()


def _standard_input() -> str:
    if sys.stdin is None:
        raise Failure("standard input is closed", Exit.USAGE)
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"standard input is not UTF-8: byte {error.start} is {byte:#04x}"
        raise Failure(message, Exit.USAGE) from error
    except OSError as error:
        raise Failure(f"cannot read standard input: {error.strerror}", Exit.USAGE) from error
