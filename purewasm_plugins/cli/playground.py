"""`purewasm playground`: the page that runs plugins in the browser, served or exported."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import PYODIDE_URL, Site, SiteError
from purewasm_plugins.cli.exits import Exit, Failure

_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Open a page that runs plugins in the browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="The port of the server; 0 for any free one.",
)
@click.option(
    "--pyodide",
    type=_DIRECTORY,
    help=f"A folder with Pyodide, for a machine without a network, in place of {PYODIDE_URL}",
)
@click.option(
    "--export", "target", type=_DIRECTORY, help="Write the site into a folder, and serve nothing."
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
def playground(port: int, pyodide: Path | None, target: Path | None, no_browser: bool) -> int:
    """Serve a page that runs plugins in the browser.

    The page loads Python, compiled to WebAssembly (Pyodide), and this package into it. A plugin
    that is dropped on the page never leaves the browser. Ctrl-C ends the server.

    \b
    Examples:
      purewasm playground
      purewasm playground --export site/
    """
    try:
        site = Site(pyodide)
        # Here, not at the first request, a file that is missing can be reported.
        count = len(site.files)
        if target is not None:
            site.export(target)
            click.echo(f"{count} files written to {target}: any static host can serve them.")
            return Exit.OK
        server = PlaygroundServer(site, port)
    except SiteError as error:
        raise Failure(str(error), Exit.USAGE) from error
    except OSError as error:
        place = target if target is not None else f"port {port}"
        raise Failure(f"{place}: {error.strerror or error}", Exit.USAGE) from error
    with server:
        click.echo(f"The playground is at {server.url} (Ctrl-C ends it)")
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()
    return Exit.OK
