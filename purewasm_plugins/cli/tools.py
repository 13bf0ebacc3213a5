"""`purewasm tools`: the tools of plugins, as a table, as JSON, and in the formats for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.loading import expanded, load_plugin
from purewasm_plugins.cli.options import limit_options, plugins_argument, wasi_options
from purewasm_plugins.cli.output import console, print_error, print_json, show_table
from purewasm_plugins.errors import ToolError, ToolFormatError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.tools import ToolRegistry
from purewasm_plugins.tools.formats import FORMATS

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


@click.command(short_help="List the tools of plugins.")
@plugins_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", *FORMATS)),
    default="table",
    show_default=True,
    help="A table; all definitions as JSON; or the tools of a request to a model's API, or of MCP.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@limit_options(cached=True)
@wasi_options(shown=True)
def tools(
    plugins: tuple[str, ...],
    form: str,
    as_json: bool,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
) -> int:
    """List the tools of plugins: name, description, and schema of the arguments.

    A directory stands for the .wasm files in it, or else in its folders. A plugin that cannot be
    loaded is reported on standard error, the others are listed, and the exit status is 3. The same
    holds for two tools of one name in the format of an API, where an agent could not tell them
    apart.

    \b
    Examples:
      purewasm tools c_json zig_text
      purewasm tools plugins/ --format anthropic
    """
    if as_json and form in FORMATS:
        raise click.UsageError(f"--json and --format {form} exclude each other.")
    paths, status = expanded(plugins)
    loaded: list[tuple[str, WasmPlugin]] = []
    for path in paths:
        try:
            loaded.append((path, load_plugin(path, limits, engine, cache_dir, wasi)))
        except Failure as failure:
            print_error(failure.message)
            status = Exit.PLUGIN
    if form in FORMATS:
        return max(status, _print_for_agents(loaded, form))
    if as_json or form == "json":
        print_json(
            [
                {"plugin": plugin.name, "file": path, "index": tool.tool.index}
                | tool.definition.to_dict()
                for path, plugin in loaded
                for tool in plugin.registrable_tools()
            ]
        )
    else:
        _print_tables(loaded)
    return status


def _print_for_agents(loaded: list[tuple[str, WasmPlugin]], form: str) -> Exit:
    registry = ToolRegistry()
    status = Exit.OK
    for path, plugin in loaded:
        try:
            plugin.register_into_registry(registry)
        except ToolError as error:
            print_error(f"{path}: {error}")
            status = Exit.PLUGIN
    try:
        print_json(FORMATS[form](registry).tools())
    except ToolFormatError as error:
        raise Failure(str(error), Exit.USAGE) from None
    return status


def _print_tables(loaded: list[tuple[str, WasmPlugin]]) -> None:
    out = console()
    for _, plugin in loaded:
        heading = f"{plugin.name} {plugin.version}"
        rows = [(str(tool.index), tool.name, tool.description) for tool in plugin.tools]
        show_table(out, heading, rows or [("", "no tools", "")])
