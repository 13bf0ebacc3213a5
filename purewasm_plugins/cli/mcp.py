"""`purewasm mcp`: plugins as tools of a server of the Model Context Protocol."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.granted import Grants, grant_options
from purewasm_plugins.cli.loading import expanded, load_plugin
from purewasm_plugins.cli.options import limit_options, plugins_argument, wasi_options
from purewasm_plugins.cli.output import print_error
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.mcp import HttpServer, McpServer, register_plugins, serve_stdio
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.tools import ToolRegistry

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

_TOKEN = "PUREWASM_MCP_TOKEN"


def _address(value: str) -> tuple[str, int]:
    """Return the host and the port of an address: `HOST:PORT`, `[HOST]:PORT` or `PORT`."""
    match = re.fullmatch(r"(?:(\[[^\[\]]+\]|[^\[\]:]*):)?([0-9]{1,5})", value)
    if match is None or int(match[2]) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8000.")
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


@click.command(short_help="Serve the tools of plugins to agents (MCP).")
@plugins_argument
@click.option(
    "--http",
    "address",
    type=_address,
    metavar="HOST:PORT",
    help="Serve over HTTP, at /mcp there, in place of standard input and output. Port 0 is a free"
    " one.",
)
@click.option(
    "--token",
    envvar=_TOKEN,
    metavar="TOKEN",
    help=f"What HTTP clients must show as bearer token; better in the variable {_TOKEN}.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which HTTP clients may call this machine. Repeatable.",
)
@limit_options(cached=True)
@wasi_options(shown=False)
@grant_options
def mcp(
    plugins: tuple[str, ...],
    address: tuple[str, int] | None,
    token: str | None,
    hosts: tuple[str, ...],
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    grants: Grants,
) -> int:
    """Serve the tools of plugins to agents: a server of the Model Context Protocol.

    A directory stands for the .wasm files in it, or else in its folders. A plugin that cannot be
    loaded is reported on standard error, and the others are served. A name that two plugins give
    to a tool gets the name of the plugin before it, in both. The server ends with its input, or
    with Ctrl-C.

    \b
    Examples:
      purewasm mcp plugins/
      purewasm mcp c_json zig_text --http 127.0.0.1:8000
    """
    registry = _loaded(plugins, limits, engine, cache_dir, wasi, grants)
    if address is None:
        serve_stdio(McpServer(registry))
        return Exit.OK
    server = McpServer(registry, private=token is not None)
    try:
        http = HttpServer(server, *address, token=token, hosts=hosts)
    except InvalidOptionError as error:
        raise click.UsageError(f"--{error.option}: {error.details}.") from None
    except OSError as error:
        place = f"{address[0]}:{address[1]}"
        raise Failure(f"{place}: {error.strerror or error}", Exit.USAGE) from error
    with http:
        click.echo(f"The server is at {http.url} (Ctrl-C ends it)")
        try:
            http.serve_forever()
        except KeyboardInterrupt:
            click.echo()
    return Exit.OK


def _loaded(
    paths: tuple[str, ...],
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    grants: Grants,
) -> ToolRegistry:
    """Return the tools of all plugins that can be loaded.

    Raises:
        Failure: none can.
    """
    plugins: list[WasmPlugin] = []
    files: dict[str, str] = {}
    for path in expanded(paths)[0]:
        try:
            plugin = load_plugin(path, limits, engine, cache_dir, wasi, grants)
        except Failure as failure:
            print_error(failure.message)
            continue
        if plugin.name in files:
            print_error(f"{path}: there is a plugin '{plugin.name}' already: {files[plugin.name]}")
            continue
        files[plugin.name] = path
        plugins.append(plugin)
    registry, failed = register_plugins(plugins)
    for plugin, error in failed:
        print_error(f"{files[plugin.name]}: {error}")
    if len(failed) == len(plugins):
        raise Failure("there is no plugin to serve", Exit.PLUGIN)
    return registry
