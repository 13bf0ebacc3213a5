"""`purewasm tools`: the tools of one plugin or of many, for people and for agents."""

from __future__ import annotations

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.loading import load_plugin
from purewasm_plugins.cli.options import limit_options, plugins_argument
from purewasm_plugins.cli.output import console, print_error, print_json, show_table
from purewasm_plugins.errors import ToolError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.tools import ToolRegistry


@click.command(short_help="List the tools of plugins.")
@plugins_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "openai")),
    default="table",
    show_default=True,
    help="For people; every definition as JSON; or 'tools' of OpenAI's chat completions API.",
)
@limit_options(cached=True)
def tools(
    plugins: tuple[str, ...],
    form: str,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str | None,
) -> int:
    """List the tools of plugins: name, description, and schema of the arguments.

    A plugin that cannot be loaded, or whose tools an agent could not tell apart, is reported; the
    others are listed, and the exit status is 3.

    \b
    Example:
      purewasm tools plugins/*.wasm --format openai
    """
    loaded: list[tuple[str, WasmPlugin]] = []
    status = Exit.OK
    for path in plugins:
        try:
            loaded.append((path, load_plugin(path, limits, engine, cache_dir)))
        except Failure as failure:
            print_error(failure.message)
            status = Exit.PLUGIN
    if form == "table":
        _print_tables(loaded)
    elif form == "openai":
        registry = ToolRegistry()
        for path, plugin in loaded:
            try:
                plugin.register_into_registry(registry)
            except ToolError as error:
                print_error(f"{path}: {error}")
                status = Exit.PLUGIN
        print_json(registry.to_openai_tools())
    else:
        print_json(
            [
                {"plugin": plugin.name, "file": path, "index": tool.tool.index}
                | tool.definition.to_dict()
                for path, plugin in loaded
                for tool in plugin.registrable_tools()
            ]
        )
    return status


def _print_tables(loaded: list[tuple[str, WasmPlugin]]) -> None:
    out = console()
    for _, plugin in loaded:
        heading = f"{plugin.name} {plugin.version}"
        rows = [(str(tool.index), tool.name, tool.description) for tool in plugin.tools]
        show_table(out, heading, rows or [("", "no tools", "")])
