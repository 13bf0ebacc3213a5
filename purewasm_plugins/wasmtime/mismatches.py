"""The words of an import that is given something of another type."""

from __future__ import annotations

from collections.abc import Sequence

from purewasm_plugins.runtime.instance import Extern, Function, Global
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.wasm.types import (
    ExternType,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

__all__ = ["mismatch"]

#: The names of the kinds: as what is expected, and as what was found.
_WANTED = {FuncType: "func", GlobalType: "global", MemoryType: "memory", TableType: "table"}
_FOUND = {Function: "function", Global: "global", Memory: "memory", Table: "table"}


def mismatch(wanted: ExternType, given: Extern) -> str | None:
    """Return why something does not fit the type of an import; None where it does."""
    match wanted, given:
        case FuncType(), Function():
            if wanted == given.type:
                return None
            expected, found = _function(wanted), _function(given.type)
            return f"types incompatible: expected type `{expected}`, found type `{found}`"
        case GlobalType(), Global():
            return _global(wanted, given.type)
        case MemoryType(), Memory():
            now = Limits(given.pages, given.type.limits.maximum)
            return _limits("memory", wanted.limits, now)
        case TableType(), Table():
            if wanted.element is not given.type.element:
                return (
                    f"table types incompatible: expected table of type `{wanted.element}`,"
                    f" found table of type `{given.type.element}`"
                )
            now = Limits(len(given), given.type.limits.maximum)
            return _limits("table", wanted.limits, now)
    found = next(name for kind, name in _FOUND.items() if isinstance(given, kind))
    return f"expected {_WANTED[type(wanted)]}, but found {found}"


def _function(type: FuncType) -> str:
    """Return the type of a function in the text format."""
    return f"(func{_group('param', type.params)}{_group('result', type.results)})"


def _group(name: str, types: Sequence[ValType]) -> str:
    return f" ({name} {' '.join(map(str, types))})" if types else ""


def _global(wanted: GlobalType, found: GlobalType) -> str | None:
    if wanted.value is not found.value:
        expected = f"expected global of type `{wanted.value}`"
        return f"global types incompatible: {expected}, found global of type `{found.value}`"
    if wanted.mutable is not found.mutable:
        words = {True: "mutable", False: "immutable"}
        expected = f"expected {words[wanted.mutable]} global"
        return f"global types incompatible: {expected}, found {words[found.mutable]} global"
    return None


def _limits(kind: str, wanted: Limits, now: Limits) -> str | None:
    if wanted.admits(now.minimum, now.maximum):
        return None
    return (
        f"{kind} types incompatible: expected {kind} limits {_sizes(wanted)} doesn't match"
        f" provided {kind} limits {_sizes(now)}"
    )


def _sizes(limits: Limits) -> str:
    largest = "none" if limits.maximum is None else limits.maximum
    return f"(min: {limits.minimum}, max: {largest})"
