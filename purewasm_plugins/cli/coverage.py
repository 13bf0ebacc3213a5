"""`purewasm coverage`: how often each instruction of a plugin runs, over several inputs."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.loading import find_tool, load_plugin
from purewasm_plugins.cli.options import limit_options, plugin_argument, tool_argument, wasi_options
from purewasm_plugins.cli.output import console, instructions, print_json, show_table, visible
from purewasm_plugins.debugger import CoverageEngine, FunctionCoverage, report
from purewasm_plugins.errors import ToolExecutionError, WasmError
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm.text.printer import MAX_INDENTATION

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


@click.command(short_help="Show which instructions of a plugin its inputs run.")
@plugin_argument
@tool_argument
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "--html", "page", type=click.Path(), metavar="FILE", help="Write a page to look at instead."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.option("--all", "everything", is_flag=True, help="List functions that never ran, too.")
@limit_options(engine=False, cached=True)
@wasi_options(shown=True)
def coverage(
    plugin: str,
    tool: str,
    inputs: tuple[str, ...],
    page: str | None,
    as_json: bool,
    everything: bool,
    limits: ResourceLimits,
    cache_dir: str,
    wasi: Wasi | None,
) -> None:
    """Run a tool on each INPUT and show how often each instruction ran.

    Loading the plugin does not count. A call that fails is reported, and its instructions count.

    \b
    Examples:
      purewasm coverage plugin.wasm shout "hello" "" "123"
      purewasm coverage plugin.wasm shout "hello" --html coverage.html
    """
    if as_json and page is not None:
        raise click.UsageError("--json and --html exclude each other.")
    try:
        counting = CoverageEngine()
    except WasmError as error:
        raise Failure(str(error), Exit.PLUGIN) from error
    loaded = load_plugin(plugin, limits, counting, cache_dir, wasi)
    counting.reset()
    for text in inputs or ("",):
        try:
            index = find_tool(loaded, tool).index
            loaded.execute_tool(index, text)
        except ToolExecutionError as error:
            if error.__cause__ is None:
                raise Failure(str(error), Exit.TOOL) from error
            click.echo(f"purewasm: {visible(str(error), 500)}", err=True)
    functions = report(loaded.module.valid, counting.counts())
    if as_json:
        print_json(_object(functions, everything))
        return
    if page is None:
        _print(functions, everything)
        return
    try:
        with open(page, "w", encoding="utf-8") as file:
            file.writelines(_page(functions, f"{plugin}: {tool}"))
    except OSError as error:
        raise Failure(f"cannot write '{page}': {error.strerror}", Exit.USAGE) from error
    click.echo(page)


def _object(functions: Sequence[FunctionCoverage], everything: bool) -> dict[str, Any]:
    """Return the counts for JSON; the instructions of functions that never ran only if asked."""
    ran, total = _totals(functions)
    return {
        "ran": ran,
        "total": total,
        "functions": [
            {
                "index": function.index,
                "name": function.name,
                "calls": function.calls,
                "ran": function.ran,
                "total": function.total,
                "instructions": [
                    {"offset": line.offset, "text": _code(line.text), "count": count}
                    for line, count in function.lines
                    if function.ran or everything
                ],
            }
            for function in functions
        ],
    }


def _code(text: str) -> str:
    """Return the text of an instruction without its comment."""
    return text.partition("  ;;")[0]


def _print(functions: Sequence[FunctionCoverage], everything: bool) -> None:
    """Print the functions that ran, or all, and a table."""
    for function in functions:
        if function.calls or function.ran or everything:
            click.echo(f"{visible(function.name)}  {_share(function)}, {_calls(function)}")
            for line in _lines(function):
                click.echo(line)
            click.echo()
    show_table(console(), "Functions", [_row(function) for function in functions])
    never = sum(not function.ran for function in functions)
    ran, total = _totals(functions)
    click.echo()
    click.echo(
        f"{ran} of {total} instructions ran ({_percent(ran, total)}); "
        f"{never} of {len(functions)} functions never did."
    )


def _lines(function: FunctionCoverage) -> Iterator[str]:
    """Yield the instructions of a function with their counts."""
    for line, count in function.lines:
        indent = "  " * min(line.depth, MAX_INDENTATION)
        shown = f"{count:>9,}" if count else f"{'-':>9}"
        yield f"{shown}  {line.offset:#07x}  {indent}{visible(line.text)}"


def _row(function: FunctionCoverage) -> tuple[str, ...]:
    """Return the row of a function in the table."""
    if not function.ran:
        return (function.name, "never ran", "", instructions(function.total))
    return (
        function.name,
        _percent(function.ran, function.total),
        _calls(function),
        _share(function),
    )


def _calls(function: FunctionCoverage) -> str:
    return f"{function.calls:,} call{'s' * (function.calls != 1)}"


def _share(function: FunctionCoverage) -> str:
    return f"{function.ran} of {instructions(function.total)}"


def _totals(functions: Sequence[FunctionCoverage]) -> tuple[int, int]:
    return sum(f.ran for f in functions), sum(f.total for f in functions)


def _percent(ran: int, total: int) -> str:
    # It is rounded down: 100 % means all.
    return f"{100 * ran // total if total else 100}%"


_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
pre, td { font-family: ui-monospace, monospace; font-size: .85rem; }
pre { margin: .5rem 0 1.5rem; overflow-x: auto; line-height: 1.45; }
pre > span { display: block; padding: 0 .5rem; border-left: 4px solid transparent; }
.ran { border-color: #2e9e4f; background: #2e9e4f18; }
.missed { border-color: #d0453a; background: #d0453a18; }
.count { display: inline-block; min-width: 8ch; text-align: right; opacity: .7; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
meter { width: 8rem; }
summary { cursor: pointer; font-weight: 600; }
"""


def _page(functions: Sequence[FunctionCoverage], title: str) -> Iterator[str]:
    """Write a page that needs no other file; what never ran is folded."""
    ran, total = _totals(functions)
    escaped = html.escape(title)
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escaped}</title>\n'
    yield '<meta name="viewport" content="width=device-width">\n'
    yield f"<style>{_STYLE}</style>\n<h1>{escaped}</h1>\n"
    yield f"<p>{ran} of {total} instructions ran ({_percent(ran, total)}).</p>\n"
    yield "<table><tr><th>Function<th>Ran<th>Calls<th>Instructions</tr>\n"
    run = [function for function in functions if function.ran]
    for function in run:
        name = html.escape(visible(function.name))
        meter = f'<meter max="{function.total}" value="{function.ran}"></meter>'
        yield f'<tr><td><a href="#f{function.index}">{name}</a><td>{meter} '
        yield f"{_percent(function.ran, function.total)}<td>{function.calls:,}"
        yield f"<td>{function.total}</tr>\n"
    yield "</table>\n"
    for function in run:
        yield from _section(function)
    never = [function for function in functions if not function.ran]
    if never:
        yield f"<details><summary>{len(never)} of {len(functions)} functions never ran</summary>\n"
        for function in never:
            yield from _section(function)
        yield "</details>\n"


def _section(function: FunctionCoverage) -> Iterator[str]:
    """Write the instructions of a function, folded if it never ran."""
    state = " open" if function.ran else ""
    name = html.escape(visible(function.name))
    yield f'<details id="f{function.index}"{state}><summary>{name}: {_share(function)}, '
    yield f"{_calls(function)}</summary><pre>"
    for line, count in function.lines:
        closing = line.instruction.opcode.mnemonic in ("else", "end")
        style = "ran" if count else "" if closing else "missed"
        text = html.escape("  " * min(line.depth, MAX_INDENTATION) + visible(line.text))
        shown = f"{count:,}" if count or not closing else ""
        yield f'<span class="{style}"><span class="count">{shown}'
        yield f"</span>  {line.offset:#07x}  {text}</span>"
    yield "</pre></details>\n"
