"""Raw values as pywasm holds them, and back."""

from __future__ import annotations

import struct
from typing import Any

import pywasm

from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits
from purewasm_plugins.wasm.types import FuncType, ValType

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_F64 = struct.Struct("<d")


class Reference(pywasm.ValInst):
    """A reference that is not null, with what it refers to."""

    def __init__(self, type: ValType, referent: Any) -> None:
        super().__init__(pywasm.ValType(int(type)), bytearray(4) + b"\x01" + bytearray(11))
        self.referent = referent


def value_instance(type: ValType, raw: Any) -> pywasm.ValInst:
    """Convert a raw value to a value of pywasm's."""
    match type:
        case ValType.I32:
            return pywasm.ValInst.from_u32(raw)
        case ValType.I64:
            return pywasm.ValInst.from_u64(raw)
        case ValType.F32:
            return pywasm.ValInst.from_f32_u32(f32_to_bits(raw))
        case ValType.F64:
            return pywasm.ValInst.from_f64(raw)
        case ValType.V128:
            return pywasm.ValInst.from_v128(bytearray(raw))
        case ValType.FUNCREF | ValType.EXTERNREF:
            if raw is None:
                return pywasm.ValInst.zero(pywasm.ValType(int(type)))
            return Reference(type, raw)


def raw_value(value: pywasm.ValInst) -> Any:
    """Convert a value of pywasm's to a raw value."""
    match value.type.data:
        case ValType.I32:
            return _U32.unpack_from(value.data)[0]
        case ValType.I64:
            return _U64.unpack_from(value.data)[0]
        case ValType.F32:
            return f32_from_bits(_U32.unpack_from(value.data)[0])
        case ValType.F64:
            return _F64.unpack_from(value.data)[0]
        case ValType.V128:
            return bytes(value.data)
    return value.referent if isinstance(value, Reference) else None


def function_type(type: FuncType) -> pywasm.FuncType:
    """Convert a function type to pywasm's."""
    return pywasm.FuncType(
        [pywasm.ValType(int(param)) for param in type.params],
        [pywasm.ValType(int(result)) for result in type.results],
    )
