"""`purewasm mcp`: plugins as tools of a server of the Model Context Protocol."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from purewasm_plugins.cli.call_log import calls_logged
from purewasm_plugins.cli.completion import complete_file, complete_plugin
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.found import chosen_folder
from purewasm_plugins.cli.granted import Grants
from purewasm_plugins.cli.loading import expanded, load_into
from purewasm_plugins.cli.options import grant_options, limit_options, wasi_options
from purewasm_plugins.cli.output import print_error
from purewasm_plugins.errors import InvalidOptionError, PluginError
from purewasm_plugins.mcp import HttpServer, McpServer, register_plugins, serve_stdio
from purewasm_plugins.plugin import PluginOptions, WasmPluginManager
from purewasm_plugins.plugin.watching import PluginChange, Watch
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.tools import Decision, ToolRegistry
from purewasm_plugins.tools.approval import Approve

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

#: What decides on calls that need approval, where no person is asked.
_APPROVE: dict[str, Approve] = {
    "always": lambda request: Decision.SESSION,
    "never": lambda request: Decision.NEVER,
}

_TOKEN = "PUREWASM_MCP_TOKEN"


def _address(value: str) -> tuple[str, int]:
    """Return the host and the port of an address: `HOST:PORT`, `[HOST]:PORT` or `PORT`."""
    match = re.fullmatch(r"(?:(\[[^\[\]]+\]|[^\[\]:]*):)?([0-9]{1,5})", value)
    if match is None or int(match[2]) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8000.")
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


@click.command(short_help="Serve the tools of plugins to agents (MCP).")
@click.argument("plugins", metavar="[PLUGIN...]", nargs=-1, shell_complete=complete_plugin)
@click.option(
    "--config",
    "manifest",
    metavar="FILE",
    shell_complete=complete_file,
    help="Serve the plugins of a manifest, each with the limits and grants that it has there.",
)
@click.option(
    "--watch",
    "watched",
    is_flag=True,
    help="Load plugins again when their files change, and tell clients.",
)
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
@click.option(
    "--approve",
    type=click.Choice(("ask", *_APPROVE)),
    default="ask",
    show_default=True,
    help="What is done with calls of tools that need approval: ask the person at the client, and"
    " refuse where the client cannot; approve them always; refuse them.",
)
@click.option(
    "--log-calls",
    "log",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Append a line of JSON for each call to a file: who, what, how large, how long; never the"
    " arguments.",
)
@limit_options(cached=True)
@wasi_options(shown=False)
@grant_options
def mcp(
    plugins: tuple[str, ...],
    manifest: str | None,
    watched: bool,
    address: tuple[str, int] | None,
    token: str | None,
    hosts: tuple[str, ...],
    approve: str,
    log: str | None,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    grants: Grants,
) -> int:
    """Serve the tools of plugins to agents: a server of the Model Context Protocol.

    A directory stands for the .wasm files in it, or else in its folders. Without PLUGIN and
    --config, the plugins that 'purewasm plugins list' lists are served. A plugin that cannot be
    loaded is reported on standard error, and the others are served. A name that two plugins give
    to a tool gets the name of the plugin before it, in both. The server ends with its input, or
    with Ctrl-C.

    \b
    Examples:
      purewasm mcp plugins/
      purewasm mcp c_json zig_text --http 127.0.0.1:8000
      purewasm mcp --config plugins.toml --watch
    """

    def options(path: str) -> PluginOptions:
        granted = grants.options(path)
        return PluginOptions.merged(granted, engine, limits, None, cache_dir, wasi)

    manager = WasmPluginManager(options(""))
    _load(manager, plugins, manifest, options)
    registry = _registered(manager, _APPROVE.get(approve))
    server = McpServer(registry, private=address is not None and token is not None)
    watching = _watching(manager, registry, server) if watched else contextlib.nullcontext()
    with calls_logged(log), watching:
        if address is None:
            serve_stdio(server)
        else:
            _serve_http(server, address, token, hosts)
    return Exit.OK


def _serve_http(
    server: McpServer, address: tuple[str, int], token: str | None, hosts: tuple[str, ...]
) -> None:
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


def _load(
    manager: WasmPluginManager,
    paths: tuple[str, ...],
    manifest: str | None,
    options: Callable[[str], PluginOptions],
) -> None:
    """Load the plugins of a manifest and of paths, or else those that are found.

    Args:
        manager: what gets them.
        paths: the paths.
        manifest: the manifest, or None.
        options: returns the options of the plugin of a path.
    """
    failed: list[tuple[str, PluginError]] = []
    try:
        if manifest is not None:
            failed += manager.load_manifest(manifest).failed
        elif not paths:
            failed += manager.discover(chosen_folder()).failed
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error
    for origin, reason in failed:
        print_error(f"{origin}: {reason}")
    for path in expanded(paths)[0]:
        try:
            load_into(manager, path, options(path))
        except Failure as failure:
            print_error(failure.message)


def _registered(manager: WasmPluginManager, approve: Approve | None) -> ToolRegistry:
    """Return the tools of all plugins of a manager.

    Raises:
        Failure: there are none.
    """
    registry, failed = register_plugins(manager, approve=approve)
    for plugin, error in failed:
        print_error(f"{manager.files[plugin.name].path}: {error}")
    if len(failed) == len(manager):
        raise Failure("there is no plugin to serve", Exit.PLUGIN)
    return registry


def _watching(manager: WasmPluginManager, registry: ToolRegistry, server: McpServer) -> Watch:
    def tell(change: PluginChange) -> None:
        if change.error is None:
            server.tools_changed()
        else:
            print_error(f"{change.path}: {change.error}")

    return manager.watch(tell, registry=registry)
