"""`purewasm run`: a tool's output on standard output, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.exits import Exit, Failure, advice
from purewasm_plugins.cli.granted import Grants
from purewasm_plugins.cli.inputs import read_arguments, tool_input
from purewasm_plugins.cli.loading import find_tool, load_plugin
from purewasm_plugins.cli.options import (
    grant_options,
    input_file_option,
    limit_options,
    plugin_argument,
    tool_argument,
    wasi_options,
)
from purewasm_plugins.cli.output import print_json, progress, readable
from purewasm_plugins.errors import InvalidArgumentsError, ToolExecutionError, Trap
from purewasm_plugins.plugin import PluginTool
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


@click.command(short_help="Run a tool of a plugin.")
@plugin_argument
@tool_argument
@click.argument("input", required=False, metavar="[INPUT]")
@input_file_option
@limit_options(cached=True)
@wasi_options(shown=True)
@grant_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--raw", is_flag=True, help="Print the output unchanged, also to a terminal.")
@click.option("--backtrace", is_flag=True, help="Show the WebAssembly backtrace of a trap.")
def run(
    plugin: str,
    tool: str,
    input: str | None,
    input_file: str | None,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    grants: Grants,
    as_json: bool,
    raw: bool,
    backtrace: bool,
) -> int:
    """Run a tool of a plugin and print its output.

    TOOL is the name of a tool, or its index. INPUT is the tool's text; '-', or no INPUT with
    something piped in, is standard input. A tool with a schema takes its arguments as a JSON
    object, which is checked before the tool runs. Put '--' before a TOOL or INPUT that starts with
    a dash.

    The output is printed unchanged, in UTF-8. On a terminal, a line end is added where there is
    none, and control characters are shown as escapes; --raw prints them. What the plugin writes
    through WASI goes to standard error.

    \b
    Examples:
      purewasm run c_json json_pretty '{"a":[1,2]}'
      purewasm run c_json json_pretty < data.json
      purewasm run zig_text levenshtein '{"a":"kitten","b":"sitting"}'
    """
    loaded = load_plugin(plugin, limits, engine, cache_dir, wasi, grants)
    text = tool_input(input, input_file, piped=True)
    outcome: dict[str, Any] = {"plugin": loaded.name, "tool": tool, "success": True}
    try:
        known = find_tool(loaded, tool)
        outcome["tool"] = known.name
        with progress(f"running {known.name}"):
            output = loaded.execute_tool(known.index, _checked(known, text))
    except (ToolExecutionError, InvalidArgumentsError) as error:
        cause = error.__cause__
        lines = cause.backtrace() if isinstance(cause, Trap) else []
        if as_json:
            failed = {"success": False, "output": "", "error": str(error), "backtrace": lines}
            print_json(outcome | failed)
            return Exit.TOOL
        trailer = tuple(f"  {line}" for line in lines if backtrace)
        raise Failure(f"{error}{advice(error)}", Exit.TOOL, trailer) from error
    if as_json:
        print_json(outcome | {"output": output, "error": None, "backtrace": []})
        return Exit.OK
    to_terminal = sys.stdout.isatty()
    if to_terminal and not raw:
        output = readable(output)
    # As bytes: the output is UTF-8 in every locale.
    click.echo(output.encode(), nl=to_terminal and not output.endswith("\n"))
    return Exit.OK


def _checked(tool: PluginTool, text: str) -> str:
    """Return the input of a tool, checked against the tool's schema where it has one.

    Raises:
        InvalidArgumentsError: it is no JSON object, or not one that the schema allows.
    """
    if tool.schema is None:
        return text
    # Imported here: a tool without a schema does not need it.
    from purewasm_plugins.tools.registry import schema_validator

    schema_validator(tool.name, tool.schema)(read_arguments(tool, text))
    return text
