"""`purewasm cache`: where the cache is and how much is in it; `clear` empties it."""

from __future__ import annotations

import click

from purewasm_plugins.cli.caching import chosen_directory
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.options import cache_dir_option
from purewasm_plugins.cli.output import print_json, visible
from purewasm_plugins.errors import PluginError

_MEBIBYTE = 1024 * 1024


@click.command(short_help="Show the cache of translated code, or clear it.")
@click.argument("action", metavar="[clear]", required=False, type=click.Choice(["clear"]))
@cache_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def cache(action: str | None, cache_dir: str | None, as_json: bool) -> None:
    """Show where translated code is kept, how many entries there are, and how much they take.

    An entry says that a module is valid, or has the Python code of its functions. The least
    recently used ones are removed where all together would take more than PUREWASM_CACHE_SIZE, or
    else 256 MiB. 'clear' removes all of them; programs that use the cache go on.

    \b
    Examples:
      purewasm cache
      purewasm cache clear
    """
    # Imported here, so that `--help` does not wait for it.
    from purewasm_plugins.cache.directory import DirectoryCache
    from purewasm_plugins.cache.location import bound

    directory = chosen_directory(cache_dir)
    if not directory:
        raise Failure("there is no cache directory: the cache is off", Exit.USAGE)
    try:
        found = DirectoryCache(directory, bound())
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error
    usage = found.clear() if action == "clear" else found.usage()
    if as_json:
        print_json(
            {
                "directory": found.directory,
                "removed" if action == "clear" else "entries": usage.entries,
                "size": usage.size,
                "bound": found.bound,
            }
        )
        return
    what = "removed" if action == "clear" else "entries"
    click.echo(f"directory  {visible(found.directory)}")
    click.echo(f"{what:<9}  {usage.entries}")
    click.echo(f"size       {_megabytes(usage.size)}")
    click.echo(f"bound      {_megabytes(found.bound)}")


def _megabytes(size: int) -> str:
    return f"{size / _MEBIBYTE:,.1f} MiB"
