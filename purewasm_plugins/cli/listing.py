"""`purewasm disassemble` and `purewasm translate`: a module's code, as WAT and as Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.loading import load_module
from purewasm_plugins.cli.options import function_option, plugin_argument
from purewasm_plugins.cli.output import print_code
from purewasm_plugins.support.suggestions import similar_name
from purewasm_plugins.wasm import ExternKind, Module, ValidModule
from purewasm_plugins.wasm.symbols.names import read_names
from purewasm_plugins.wasm.text import printer


def _listing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    function = function_option("One function only, by name or index.")
    offsets = click.option(
        "--offsets", is_flag=True, help="Show where in the file each instruction is."
    )
    return plugin_argument(function(offsets(command)))


@click.command(short_help="Print a module as WebAssembly text.")
@_listing_options
def disassemble(plugin: str, function: str | None, offsets: bool) -> None:
    """Print a module, or one function of it, in the WebAssembly text format.

    The text of a whole module can be assembled again. The names are those of the module's name
    section.

    \b
    Example:
      purewasm disassemble shout_c --function plugin_tool_execute
    """
    module = load_module(plugin).valid.module
    index = None if function is None else _function_index(module, function, plugin)
    print_code(printer.disassemble(module, index, offsets=offsets), "wat")


@click.command(short_help="Print the Python that a module becomes.")
@_listing_options
def translate(plugin: str, function: str | None, offsets: bool) -> None:
    """Print the Python code that a module, or one function of it, is translated to.

    The Python function f7 is function 7 of the module; its name in the name section, where it has
    one, follows: f7_capital.

    \b
    Example:
      purewasm translate shout_c --function plugin_tool_execute
    """
    module = load_module(plugin).valid
    decoded = module.module
    first, count = decoded.imported_functions, len(decoded.functions)
    chosen: Iterable[int] = range(first, first + count)
    if function is not None:
        chosen = (_function_index(decoded, function, plugin),)
    print_code(_translated(module, chosen, offsets), "python")


def _translated(module: ValidModule, functions: Iterable[int], offsets: bool) -> Iterator[str]:
    # Imported here: no other command of this module needs it, and it takes the longest.
    from purewasm_plugins.engine.translator.source import translate

    for number, index in enumerate(functions):
        if number:
            yield ""
        yield from translate(module, index, offsets=offsets, names=True).splitlines()


def _function_index(module: Module, wanted: str, path: str) -> int:
    """Return the index of a function, given its name, an export's name, or its index.

    Raises:
        Failure: there is no such function, or it is imported.
    """
    names: dict[str, int] = {}
    for index, name in read_names(module).functions.items():
        names.setdefault(name, index)
    exported = {e.name: e.index for e in module.exports if e.kind is ExternKind.FUNCTION}
    for spelling in (wanted, wanted.removeprefix("$")):
        for known in (names, exported):
            if spelling in known:
                return _defined(module, known[spelling], wanted, path)
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        return _defined(module, int(wanted), wanted, path)
    similar = similar_name(wanted, [*exported, *names])
    hint = f"did you mean {similar}?" if similar else f"'purewasm disassemble {path}' shows them"
    raise Failure(f"{path}: there is no function {wanted}; {hint}", Exit.USAGE)


def _defined(module: Module, index: int, wanted: str, path: str) -> int:
    first, count = module.imported_functions, len(module.function_type_indices)
    if index >= count:
        raise Failure(f"{path}: there is no function {wanted}; there are {count}", Exit.USAGE)
    if index < first:
        raise Failure(f"{path}: function {wanted} is imported: it has no code here", Exit.USAGE)
    return index
