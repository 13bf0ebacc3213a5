"""Values between Python and the runtime, by the rules of the interface.

An int becomes an i32 or i64 and loses the bits that do not fit; a float becomes an f32 or f64; any
object becomes an externref. An int is no float, and a float is no int.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purewasm_plugins.runtime.instance import Function
from purewasm_plugins.runtime.values import FROM_RAW, f32_from_bits, f32_to_bits
from purewasm_plugins.wasm.types import ValType
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import AsExtern, StoreState

__all__ = ["CONVERT", "TypedValue", "to_python", "to_raw"]

#: The bits of each type of integers.
MASKS = {ValType.I32: 0xFFFFFFFF, ValType.I64: 0xFFFFFFFFFFFFFFFF}


class TypedValue:
    """A Python value with its type; `Val` is one.

    Attributes:
        kind: for this package only: the type.
        content: for this package only: the value.
    """

    def __init__(self, kind: ValType, content: Any) -> None:
        """Take the type and the value, which has it; for this package only."""
        self.kind = kind
        self.content = content


def to_raw(kind: ValType, value: Any, state: StoreState) -> Any:
    """Return a Python value, or a `Val`, as the runtime has it.

    Args:
        kind: its type.
        value: the value.
        state: the store that a function must belong to.

    Raises:
        TypeError: it is no value of that type.
        WasmtimeError: it is a function, and the type is another, or it belongs to another store.
    """
    if isinstance(value, TypedValue):
        if value.kind is not kind:
            raise TypeError("wrong type of `Val` provided")
        value = value.content
    if kind is ValType.EXTERNREF:
        return value
    if kind is ValType.V128 and isinstance(value, (bytes, bytearray)) and len(value) == 16:
        return bytes(value)
    mask = MASKS.get(kind)
    if isinstance(value, int):
        if mask is not None:
            return int(value) & mask
    elif isinstance(value, float):
        if kind is ValType.F32:
            return f32_from_bits(f32_to_bits(value))
        if kind is ValType.F64:
            return float(value)
    elif isinstance(value, AsExtern) and isinstance(value.inner, Function):
        if kind is not ValType.FUNCREF:
            raise WasmtimeError(f"argument type mismatch: expected {kind}, found a function")
        return value.of_store(state)
    elif value is None and kind is ValType.FUNCREF:
        return None
    raise TypeError(f"don't know how to convert {value!r} to {kind}")


def _converter(kind: ValType) -> Callable[[Any, StoreState], Any]:
    return lambda value, state: to_raw(kind, value, state)


#: `to_raw` for each type.
CONVERT = {kind: _converter(kind) for kind in ValType}


def to_python(kind: ValType, raw: Any, state: StoreState) -> Any:
    """Return what the runtime has as a Python value; a function as `Func`."""
    if kind is ValType.FUNCREF and raw is not None:
        return state.wrap(state, raw)
    return FROM_RAW[kind](raw)
