"""The summaries of a module and of a plugin, as values of JSON.

`purewasm inspect` and the playground's page show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.wasm import Module
from purewasm_plugins.wasm.module import Span
from purewasm_plugins.wasm.symbols.names import read_names
from purewasm_plugins.wasm.types import ExternKind

Summary = dict[str, Any]

_OF_THE_ABI = {*abi.REQUIRED, *abi.OPTIONAL, abi.MEMORY}


def plugin_summary(plugin: WasmPlugin) -> Summary:
    """Return the name, version, description and tools of a plugin."""
    return {
        "name": plugin.name,
        "version": plugin.version,
        "description": plugin.description,
        "tools": [
            {
                "index": tool.index,
                "name": tool.name,
                "description": tool.description,
                "schema": None if tool.schema is None else dict(tool.schema),
            }
            for tool in plugin.tools
        ],
    }


def module_summary(module: Module) -> Summary:
    """Return the interface, the functions, the memories and the sections of a module.

    Returns:
        "size": bytes of the module.
        "functions": index, name or None, exports, type, imported, and bytes of its instructions.
        "memories": minimum and maximum pages, imported.
        "exports": name, kind, index, type, and whether it is one of the plugin ABI's ("abi").
        "imports": module, name, type.
        "sections": name, offset and bytes of the content, and a custom section's own name.
        "start": the index of the start function, or None.
    """
    imported = module.imported_memories
    return {
        "size": len(module.data),
        "functions": list(_functions(module)),
        "memories": [
            {
                "minimum_pages": memory.limits.minimum,
                "maximum_pages": memory.limits.maximum,
                "imported": index < imported,
            }
            for index, memory in enumerate(module.memory_types)
        ],
        "exports": [
            {
                "name": entry.name,
                "kind": str(entry.kind),
                "index": entry.index,
                "type": str(module.export_type(entry)),
                "abi": entry.name in _OF_THE_ABI,
            }
            for entry in module.exports
        ],
        "imports": [
            {"module": entry.module, "name": entry.name, "type": str(module.import_type(entry))}
            for entry in module.imports
        ],
        "sections": list(_sections(module)),
        "start": module.start,
    }


def _functions(module: Module) -> Iterator[Summary]:
    exports: dict[int, list[str]] = {}
    for entry in module.exports:
        if entry.kind is ExternKind.FUNCTION:
            exports.setdefault(entry.index, []).append(entry.name)
    names = dict(read_names(module).functions)
    imported = [entry for entry in module.imports if isinstance(entry.type, int)]
    for index, function in enumerate(imported):
        names.setdefault(index, f"{function.module}.{function.name}")
    for index, type_index in enumerate(module.function_type_indices):
        own = index - len(imported)
        yield {
            "index": index,
            "name": names.get(index),
            "exports": exports.get(index, []),
            "type": str(module.types[type_index]),
            "imported": own < 0,
            "size": 0 if own < 0 else _size(module.functions[own].body),
        }


def _sections(module: Module) -> Iterator[Summary]:
    custom = {section.content.end: section.name for section in module.custom_sections}
    for section in module.sections:
        named = {"custom_name": custom[section.content.end]} if section.name == "custom" else {}
        yield {
            "name": section.name,
            **named,
            "offset": section.content.start,
            "size": _size(section.content),
        }


def _size(span: Span) -> int:
    return span.end - span.start
