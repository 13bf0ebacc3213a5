"""`purewasm plugins`: the plugins that are found."""

from __future__ import annotations

import click

from purewasm_plugins.cli.exits import Exit
from purewasm_plugins.cli.found import found_plugins
from purewasm_plugins.cli.output import console, print_error, print_json, show_table


@click.group(short_help="List the plugins that are found.")
def plugins() -> None:
    """List the plugins that are found.

    Plugins are found in the folder of the user, or in the one of 'purewasm --plugins-dir', and
    where installed packages declare them as entry points of the group 'purewasm.plugins'.

    \b
    Examples:
      purewasm plugins list
      purewasm --plugins-dir build plugins list
    """


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_plugins(as_json: bool) -> int:
    """List the plugins that are found: their names, and their files.

    Every command takes such a name in place of a file. Nothing of a plugin is read. One whose file
    is missing is reported on standard error, and the exit status is 3.

    \b
    Examples:
      purewasm plugins list
      purewasm plugins list --json
    """
    found = found_plugins()
    for one in found:
        if one.error is not None:
            print_error(f"{one.origin}: {one.error}")
    usable = [one for one in found if one.error is None]
    if as_json:
        print_json(
            [{"name": one.name, "origin": one.origin, "file": str(one.path)} for one in usable]
        )
    else:
        show_table(console(), "", [(one.name, str(one.path)) for one in usable])
    return Exit.OK if len(usable) == len(found) else Exit.PLUGIN
