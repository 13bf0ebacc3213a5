"""`purewasm examples`: the plugins that come with the package."""

from __future__ import annotations

import click

from purewasm_plugins.bundled import EXAMPLES, example, has_example
from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.output import console, print_json, show_table


@click.command(short_help="List the plugins that come with purewasm.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON, with each file.")
def examples(as_json: bool) -> None:
    """List the plugins that come with purewasm: their names, what they are, and their tools.

    Every command takes such a name in place of a file, unless a file of that name exists.

    \b
    Examples:
      purewasm examples --json
      purewasm run c_json json_pretty '{"a":1}'
    """
    found = [entry for entry in EXAMPLES if has_example(entry.name)]
    if not found:
        raise Failure("this copy of purewasm is without its example plugins", Exit.PLUGIN)
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "summary": entry.summary,
                    "tools": entry.tools,
                    "file": str(example(entry.name)),
                }
                for entry in found
            ]
        )
        return
    rows = [(entry.name, entry.summary, ", ".join(entry.tools)) for entry in found]
    show_table(console(), "", rows)
