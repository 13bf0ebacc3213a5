"""`purewasm call`: an exported function of any module, with or without the plugin ABI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from purewasm_plugins.cli.completion import complete_export, complete_plugin
from purewasm_plugins.cli.exits import Exit, Failure, advice
from purewasm_plugins.cli.loading import load_module
from purewasm_plugins.cli.options import limit_options, wasi_options
from purewasm_plugins.cli.output import print_json, progress, visible
from purewasm_plugins.errors import ExportKindError, LinkError, Trap, WasmError
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.values import parse_value, result_text, typed_results
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.suggestions import listed
from purewasm_plugins.wasm.types import FuncType

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


@click.command(
    short_help="Call an exported function of any module.",
    # An argument such as -1 is a number, not an option.
    context_settings={"ignore_unknown_options": True},
)
@click.argument("file", metavar="FILE", shell_complete=complete_plugin)
@click.argument("export", metavar="EXPORT", shell_complete=complete_export)
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@limit_options(cached=True)
@wasi_options(shown=True)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--backtrace", is_flag=True, help="Show the WebAssembly backtrace of a trap.")
def call(
    file: str,
    export: str,
    arguments: tuple[str, ...],
    limits: ResourceLimits,
    engine: str | None,
    cache_dir: str,
    wasi: Wasi | None,
    as_json: bool,
    backtrace: bool,
) -> None:
    """Call an exported function of a module, and print its results, one on a line.

    The module need not be a plugin, and must not need imports other than WASI's. EXPORT is the name
    of the function, and the ARGUMENTs are read by its type: i32 and i64 in decimal or in
    hexadecimal (0x…), signed or unsigned; f32 and f64 as 1.5, 1e9, 0x1.8p3, inf or nan; v128 as 32
    hexadecimal digits, its first byte first; a reference as null. Integers are printed signed.

    \b
    Examples:
      purewasm call module.wasm add 2 -3
      purewasm call echo plugin_tools_count --json
    """
    module = load_module(file, cache_dir)
    try:
        with progress(f"calling {export}"):
            function = _instance(module, limits, engine, file, wasi).exports.function(export)
            values = _values(function.type, arguments, export)
            result = function(*values)
    except Trap as error:
        trailer = tuple(f"  {line}" for line in error.backtrace()) if backtrace else ()
        message = f"{export} trapped: {error.reason}{advice(error)}"
        raise Failure(message, Exit.TOOL, trailer) from error
    except ExportKindError as error:
        message = f"{file}: the export '{export}' is a {error.found}, not a function"
        raise Failure(message, Exit.TOOL) from error
    except WasmError as error:
        raise Failure(f"{file}: {error}", Exit.TOOL) from error
    type = function.type
    results = typed_results(type, result)
    if as_json:
        print_json(
            {
                "export": export,
                "type": str(type),
                "results": [
                    {"type": str(kind), "value": _json_value(value)} for kind, value in results
                ],
            }
        )
        return
    for kind, value in results:
        click.echo(visible(result_text(kind, value)))


def _values(type: FuncType, arguments: tuple[str, ...], export: str) -> list[Any]:
    """Return the arguments as a function of that type takes them.

    Raises:
        click.UsageError: there are too few or too many, or one is not of its type.
    """
    if len(arguments) != len(type.params):
        wanted = f"{len(type.params)} argument{'s' * (len(type.params) != 1)}"
        raise click.UsageError(f"{export} has the type {type}: it takes {wanted}.")
    values = []
    for number, (text, kind) in enumerate(zip(arguments, type.params, strict=True), 1):
        try:
            values.append(parse_value(kind, text))
        except ValueError as error:
            message = (
                f"Argument {number} of {export}, '{visible(text, 40)}', is no {kind}: {error}."
            )
            raise click.UsageError(message) from None
    return values


def _instance(
    module: Module, limits: ResourceLimits, engine: str | None, path: str, wasi: Wasi | None
) -> Instance:
    """Return an instance of a module that needs no imports but WASI.

    Raises:
        Failure: the module needs some, or cannot be instantiated.
    """
    try:
        return module.instantiate(engine=engine, limits=limits, wasi=wasi)
    except LinkError as error:
        if error.advice:
            raise Failure(f"{path}: {error}{advice(error)}", Exit.PLUGIN) from error
        needed = [f"{entry.module}.{entry.name}" for entry in module.imports]
        message = (
            f"{path}: the module needs imports, and this command gives none: {listed(needed)};"
            " 'instantiate' takes them in Python"
        )
        raise Failure(message, Exit.PLUGIN) from error
    except WasmError as error:
        message = f"{path}: the module cannot be instantiated: {error}{advice(error)}"
        raise Failure(message, Exit.PLUGIN) from error


def _json_value(value: Any) -> Any:
    """Return a result as JSON has it: a vector as hexadecimal digits, inf and nan as text."""
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
