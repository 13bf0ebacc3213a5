"""`purewasm inspect`: the contents of a file, as a plugin and as a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.exits import NO_ROOM, advice
from purewasm_plugins.cli.loading import is_program, load_module
from purewasm_plugins.cli.options import limit_options, plugin_argument, wasi_options
from purewasm_plugins.cli.output import console, print_json, progress, show, show_table, visible
from purewasm_plugins.errors import LinkError, PluginError
from purewasm_plugins.module import Module
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.summary import module_summary, plugin_summary
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm import PAGE_SIZE

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


@click.command(short_help="Show the contents of a file.")
@plugin_argument
@limit_options(cached=True)
@wasi_options(shown=True)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(
    plugin: str,
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    as_json: bool,
) -> None:
    """Show the contents of a file: the plugin and its tools, exports, imports, memory, sections.

    The file may be any valid module. Where it is no plugin, or cannot be loaded as one, the reason
    is shown and the exit status is 0: 'purewasm check' judges that. --json also lists the
    functions.

    \b
    Examples:
      purewasm inspect c_json
      purewasm inspect module.wasm --json
    """
    module = load_module(plugin, cache_dir)
    contents = module_summary(module.valid.module)
    report = {"file": plugin, **_plugin(module, limits, engine, wasi), **contents}
    if as_json:
        print_json(report)
    else:
        _print(report)


def _plugin(
    module: Module, limits: ResourceLimits, engine: str | None, wasi: Wasi | None
) -> dict[str, Any]:
    if is_program(module):
        return {"plugin": None, "error": "it is a program: 'purewasm exec' runs it"}
    try:
        with progress("loading the plugin"):
            plugin = WasmPlugin(module, engine=engine, limits=limits, wasi=wasi)
    except PluginError as error:
        cause = error.__cause__
        ending = advice(error) if isinstance(cause, LinkError) and cause.advice else ""
        return {"plugin": None, "error": f"{error}{ending}"}
    except MemoryError:
        return {"plugin": None, "error": NO_ROOM}
    return {"plugin": plugin_summary(plugin), "error": None}


def _print(report: dict[str, Any]) -> None:
    from rich.text import Text

    out = console()
    plugin = report["plugin"]
    if plugin is None:
        show(out, Text(visible(report["file"]), style="bold"))
        show(out, Text(f"no plugin: {visible(report['error'])}", style="yellow"))
    else:
        show(out, Text(visible(f"{plugin['name']} {plugin['version']}"), style="bold"))
        show(out, Text(visible(plugin["description"])))
    facts = [("size", f"{report['size']:,} bytes"), ("functions", _functions(report["functions"]))]
    facts += [("memory", _memory(memory)) for memory in report["memories"]]
    show_table(out, "", facts)
    for title, rows in _tables(report):
        click.echo()
        show_table(out, title, rows)


def _functions(functions: list[dict[str, Any]]) -> str:
    imported = sum(function["imported"] for function in functions)
    return f"{len(functions) - imported:,}{f', and {imported:,} imported' if imported else ''}"


def _memory(memory: dict[str, Any]) -> str:
    minimum, maximum = memory["minimum_pages"], memory["maximum_pages"]
    bound = "no maximum" if maximum is None else f"at most {_pages(maximum)}"
    imported = ", imported" if memory["imported"] else ""
    return f"{_pages(minimum)}, {bound}{imported}"


def _pages(count: int) -> str:
    kibibytes = count * PAGE_SIZE // 1024
    size = f"{kibibytes:,} KiB" if kibibytes < 1024 else f"{kibibytes / 1024:,.4g} MiB"
    return f"{count:,} page{'' if count == 1 else 's'} ({size})"


def _tables(report: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield the title and the rows of each table that has rows."""
    tools = report["plugin"]["tools"] if report["plugin"] else []
    width = max((len(f"{s['size']:,}") for s in report["sections"]), default=0)
    tables: dict[str, list[tuple[str, ...]]] = {
        "Tools": [
            (str(t["index"]), t["name"], t["description"], "schema" if t["schema"] else "")
            for t in tools
        ],
        "Exports": [(e["name"], e["type"]) for e in report["exports"]],
        "Imports": [(i["module"], i["name"], i["type"]) for i in report["imports"]],
        "Sections": [
            (s["name"], f"{s['size']:>{width},}", s.get("custom_name", ""))
            for s in report["sections"]
        ],
    }
    return ((title, rows) for title, rows in tables.items() if rows)
