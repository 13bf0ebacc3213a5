"""The plugin ABI v1 as a table, and the checks of an instance's exports against it.

`ABI.md`, beside this file, is the normative text.
"""

from __future__ import annotations

from purewasm_plugins.errors import MissingExportError, WrongExportTypeError
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm.types import FuncType, ValType

_I32 = ValType.I32
_GET = FuncType((), (_I32,))
_OF_TOOL = FuncType((_I32,), (_I32,))

#: The version of the ABI that this host supports. A plugin without the export has this version.
ABI_VERSION = 1

#: The most tools of a plugin. A larger count is an error.
MAX_TOOLS = 1024

#: The functions that every plugin exports.
REQUIRED: dict[str, FuncType] = {
    "plugin_name": _GET,
    "plugin_version": _GET,
    "plugin_description": _GET,
    "plugin_tools_count": _GET,
    "plugin_tool_name": _OF_TOOL,
    "plugin_tool_description": _OF_TOOL,
    "plugin_tool_execute": FuncType((_I32, _I32), (_I32,)),
}

#: The functions that a plugin may export, and that the host then uses.
OPTIONAL: dict[str, FuncType] = {
    "plugin_abi_version": _GET,
    "plugin_tool_schema": _OF_TOOL,
    "plugin_tool_output_schema": _OF_TOOL,
    "plugin_tool_error": _GET,
    "plugin_alloc": _OF_TOOL,
    "plugin_free": FuncType((_I32,), ()),
    "_initialize": FuncType((), ()),
}

#: The most bytes of each string that describes a plugin, without the terminator.
MAX_STRING: dict[str, int] = {
    "plugin_name": 1024,
    "plugin_version": 1024,
    "plugin_description": 64 * 1024,
    "plugin_tool_name": 1024,
    "plugin_tool_description": 64 * 1024,
    "plugin_tool_schema": 1_000_000,
    "plugin_tool_output_schema": 1_000_000,
}

#: The most bytes of all these strings together. A parsed schema takes up to thirty times its size.
MAX_STRINGS = 1024 * 1024

#: The export of the memory that the ABI's pointers point into.
MEMORY = "memory"


def required_function(instance: Instance, name: str) -> Function:
    """Return an export that the ABI requires, after a check of its type.

    Raises:
        MissingExportError: there is no such export.
        WrongExportTypeError: it has another type.
    """
    function = _function(instance, name, REQUIRED[name])
    if function is None:
        raise MissingExportError(name)
    return function


def optional_function(instance: Instance, name: str) -> Function | None:
    """Return an optional export of the ABI after a check of its type, or None if it is missing.

    Raises:
        WrongExportTypeError: it has another type.
    """
    return _function(instance, name, OPTIONAL[name])


def exported_memory(instance: Instance) -> Memory:
    """Return the exported memory.

    Raises:
        MissingExportError: there is no export of that name.
        WrongExportTypeError: it is not a memory.
    """
    memory = instance.exports.get(MEMORY)
    if memory is None:
        raise MissingExportError(MEMORY)
    if not isinstance(memory, Memory):
        raise WrongExportTypeError(
            MEMORY, f"expected a memory, got a {type(memory).__name__.lower()}"
        )
    return memory


def _function(instance: Instance, name: str, expected: FuncType) -> Function | None:
    export = instance.exports.get(name)
    if export is None:
        return None
    if not isinstance(export, Function):
        kind = type(export).__name__.lower()
        raise WrongExportTypeError(name, f"expected a function {expected}, got a {kind}")
    if export.type != expected:
        raise WrongExportTypeError(name, f"expected {expected}, got {export.type}")
    return export
