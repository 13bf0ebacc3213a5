"""The start of a session: an instance that can be stepped, and a function of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from purewasm_plugins.debugger.console import OutputConsole
from purewasm_plugins.debugger.engines import DebugEngine
from purewasm_plugins.debugger.errors import LocationError
from purewasm_plugins.debugger.machine.program import Program
from purewasm_plugins.engine.stepping import machine_of
from purewasm_plugins.errors import StringError, ToolExecutionError, WasmError
from purewasm_plugins.module import instantiate
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.strings import input_place
from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Extern, Function, Instance
from purewasm_plugins.runtime.memory import Memory, encode_string
from purewasm_plugins.runtime.values import to_raw
from purewasm_plugins.wasi.state import WasiState
from purewasm_plugins.wasm import GlobalType, MemoryType, TableType


def steppable_plugin(plugin: WasmPlugin, console: OutputConsole) -> tuple[Instance, bool]:
    """Return an instance of a plugin that can be stepped, and whether it is isolated.

    An instance is isolated where nothing outside, neither the user nor a host function, can reach
    what it holds.

    Args:
        plugin: the plugin.
        console: where its output goes, if that is captured.

    Raises:
        WasmError: the plugin cannot be instantiated a second time.
    """
    instance = plugin.instance
    if machine_of(instance) is not None:
        return instance, False
    # What was granted through WASI is opened again: each instance has descriptors of its own.
    wasi = console.listening(plugin.options.wasi)
    again = WasmPlugin(plugin.module, plugin.options, engine=DebugEngine(), wasi=wasi).instance
    # The quota of output is the call's alone.
    again.wasi.begin_call()
    return again, _isolated(again)


def steppable_instance(instance: Instance, console: OutputConsole) -> tuple[Instance, bool]:
    """Return an instance of the same module that can be stepped, and whether it is isolated.

    See `steppable_plugin`.

    Raises:
        WasmError: the module cannot be instantiated a second time.
    """
    if machine_of(instance) is not None:
        return instance, False
    state = instance.wasi
    imports: Imports | None
    if isinstance(state, WasiState):
        imports, wasi = state.imports, console.listening(state.wasi)
    else:
        imports, wasi = imports_of(instance), None
    again = instantiate(
        instance.module, imports, engine=DebugEngine(), limits=instance.limits, wasi=wasi
    )
    return again, _isolated(again)


def function_call(
    instance: Instance, name: str | int, arguments: tuple[Any, ...]
) -> tuple[Function, tuple[Any, ...]]:
    """Find a function that the module defines, and convert its arguments to raw values.

    Raises:
        LocationError: there is no such function, or it is imported.
        TypeError, ValueError: the arguments do not match its type.
    """
    function = instance.functions[Program(instance.module).function(name)]
    if function.instance is not instance:
        raise LocationError(str(name), "that function is imported: it has no instructions here")
    params = function.type.params
    if len(arguments) != len(params):
        raise TypeError(f"{name} takes {len(params)} arguments, and {len(arguments)} were given")
    return function, tuple(to_raw(*pair) for pair in zip(params, arguments, strict=True))


def put_input(instance: Instance, memory: Memory, tool: str, input: str) -> int:
    """Write the input of a tool to its memory, and return the pointer.

    Raises:
        ToolExecutionError: the input cannot be passed, or the plugin's allocator trapped.
    """
    try:
        return input_place(instance, memory).put(encode_string(input))
    except StringError as error:
        raise ToolExecutionError(tool, str(error)) from None
    except HostException as carrier:
        carrier.unpack()
    except WasmError as error:
        raise ToolExecutionError(tool, error.summary) from error


def index_named(name: int | str, names: list[str | None], kind: str) -> int:
    """Find the index of a local or global, by name or index.

    Raises:
        LocationError: there is no such local or global.
    """
    text = str(name).removeprefix("$")
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(names):
        return int(text)
    known = ", ".join(given or str(index) for index, given in enumerate(names)) or "none"
    raise LocationError(str(name), f"there is no such {kind}; there is: {known}")


def imports_of(instance: Instance) -> dict[str, dict[str, Extern]]:
    """Return what an instance imports, as `instantiate` takes it."""
    functions: Iterator[Extern] = iter(instance.functions)
    tables: Iterator[Extern] = iter(instance.tables)
    memories: Iterator[Extern] = iter(instance.memories)
    globals_: Iterator[Extern] = iter(instance.globals)
    imports: dict[str, dict[str, Extern]] = {}
    for entry in instance.module.module.imports:
        externs: Iterator[Extern]
        match entry.type:
            case TableType():
                externs = tables
            case MemoryType():
                externs = memories
            case GlobalType():
                externs = globals_
            case _:
                externs = functions
        imports.setdefault(entry.module, {})[entry.name] = next(externs)
    return imports


def _isolated(instance: Instance) -> bool:
    """Tell whether nothing that an instance imports can reach what it holds."""
    module = instance.module.module
    first = module.imported_functions
    return (
        all(isinstance(entry.type, int) for entry in module.imports)
        and not any(
            function.instance is not None or function.takes_caller
            for function in instance.functions[:first]
        )
        and not any(
            param.is_reference
            for function in instance.functions[:first]
            for param in function.type.params
        )
    )
