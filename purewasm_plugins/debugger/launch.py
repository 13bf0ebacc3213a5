"""What a session is made of: a tool of a plugin, and an instance that can be stepped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from purewasm_plugins.debugger.machine import DebugEngine, debug_linked
from purewasm_plugins.debugger.program import Program
from purewasm_plugins.engine.instantiate import instantiate
from purewasm_plugins.errors import LocationError, ToolExecutionError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.runtime.instance import Extern, Function, Instance
from purewasm_plugins.runtime.values import to_raw
from purewasm_plugins.wasm import GlobalType, MemoryType, TableType


def steppable_plugin(plugin: WasmPlugin) -> tuple[Instance, bool]:
    """An instance of a plugin that can be stepped, and whether it is isolated.

    Isolated is what nothing outside can reach into: neither the user, nor a host function.

    Raises:
        WasmError: the plugin cannot be brought to life a second time.
    """
    instance = plugin.instance
    if debug_linked(instance) is not None:
        return instance, False
    again = WasmPlugin(
        plugin.module, engine=DebugEngine(), limits=plugin.limits, imports=imports_of(instance)
    )
    return again.instance, _isolated(again.instance)


def steppable_instance(instance: Instance) -> tuple[Instance, bool]:
    """An instance of the same module that can be stepped, and whether it is isolated.

    Raises:
        WasmError: the module cannot be brought to life a second time.
    """
    if debug_linked(instance) is not None:
        return instance, False
    again = instantiate(
        instance.module, imports_of(instance), engine=DebugEngine(), limits=instance.limits
    )
    return again, _isolated(again)


def function_call(
    instance: Instance, name: str | int, arguments: tuple[Any, ...]
) -> tuple[Function, tuple[Any, ...]]:
    """A function that the module defines, and its arguments as raw values.

    Raises:
        LocationError: there is no such function, or it is imported.
        TypeError, ValueError: the arguments do not fit its type.
    """
    function = instance.functions[Program(instance.module).function(name)]
    if function.instance is not instance:
        raise LocationError(str(name), "that function is imported: it has no instructions here")
    params = function.type.params
    if len(arguments) != len(params):
        raise TypeError(f"{name} takes {len(params)} arguments, and {len(arguments)} were given")
    return function, tuple(to_raw(*pair) for pair in zip(params, arguments, strict=True))


def find_tool(plugin: WasmPlugin, tool: int | str) -> tuple[str, int]:
    """A tool's name and index.

    Raises:
        ToolExecutionError: the plugin has no such tool.
    """
    by_name = isinstance(tool, str)
    matches = [found for found in plugin.tools if tool == (found.name if by_name else found.index)]
    if len(matches) == 1:
        return matches[0].name, matches[0].index
    if matches:
        raise ToolExecutionError(str(tool), "the plugin has two tools of that name; use an index")
    known = ", ".join(found.name for found in plugin.tools)
    raise ToolExecutionError(str(tool), f"the plugin has no such tool; it has: {known}")


def index_named(name: int | str, names: list[str | None], kind: str) -> int:
    """The index of a local or global, by name or index.

    Raises:
        LocationError: there is none.
    """
    text = str(name).removeprefix("$")
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(names):
        return int(text)
    known = ", ".join(given or str(index) for index, given in enumerate(names)) or "none"
    raise LocationError(str(name), f"there is no such {kind}; there is: {known}")


def imports_of(instance: Instance) -> dict[str, dict[str, Extern]]:
    """What an instance was given to import, as `instantiate` takes it."""
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
    """Whether nothing that an instance imports can reach what it holds."""
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
