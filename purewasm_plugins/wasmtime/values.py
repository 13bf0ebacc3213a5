"""`Val`: a value with its type."""

from __future__ import annotations

from typing import Any

from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits
from purewasm_plugins.wasm import types as wasm
from purewasm_plugins.wasmtime.conversion import TypedValue
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.functions import Func
from purewasm_plugins.wasmtime.types import ValType

__all__ = ["Val"]


def _wrapped(value: int, bits: int) -> int:
    """Return the signed integer of the lowest bits."""
    if not isinstance(value, int):
        raise TypeError("expected an integer")
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def _float(value: float) -> float:
    if not isinstance(value, float):
        raise TypeError("expected a float")
    return value


class Val(TypedValue):
    """A value with its type. A class method for each type makes one."""

    @classmethod
    def i32(cls, val: int) -> Val:
        """Return an i32 of the lowest 32 bits of an int.

        Raises:
            TypeError: it is no int.
        """
        return cls(wasm.ValType.I32, _wrapped(val, 32))

    @classmethod
    def i64(cls, val: int) -> Val:
        """Return an i64 of the lowest 64 bits of an int.

        Raises:
            TypeError: it is no int.
        """
        return cls(wasm.ValType.I64, _wrapped(val, 64))

    @classmethod
    def f32(cls, val: float) -> Val:
        """Return an f32: the nearest one to a float.

        Raises:
            TypeError: it is no float.
        """
        return cls(wasm.ValType.F32, f32_from_bits(f32_to_bits(_float(val))))

    @classmethod
    def f64(cls, val: float) -> Val:
        """Return an f64 of a float.

        Raises:
            TypeError: it is no float.
        """
        return cls(wasm.ValType.F64, _float(val))

    @classmethod
    def externref(cls, extern: Any | None) -> Val:
        """Return a reference to an object of Python; None is null."""
        return cls(wasm.ValType.EXTERNREF, extern)

    @classmethod
    def funcref(cls, f: Func | None) -> Val:
        """Return a reference to a function; None is null."""
        return cls(wasm.ValType.FUNCREF, f)

    @classmethod
    def ref_null(cls, ty: ValType) -> Val:
        """Return the null of a type of references.

        Raises:
            WasmtimeError: it is another type.
        """
        if not isinstance(ty, ValType) or not ty.inner.is_reference:
            raise WasmtimeError(f"Invalid reference type for `ref_null`: {ty}")
        return cls(ty.inner, None)

    # As in wasmtime.
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Val):
            return self.kind is other.kind and bool(self.content == other.content)
        return bool(self.content == other)

    def __repr__(self) -> str:
        return f"Val({self.type}, {self.content!r})"

    @property
    def value(self) -> Any:
        """The value without its type."""
        return self.content

    @property
    def type(self) -> ValType:
        """The type."""
        return ValType.of(self.kind)

    def _as(self, kind: wasm.ValType) -> Any:
        return self.content if self.kind is kind else None

    def as_i32(self) -> int | None:
        """Return the value if it is an i32, else None."""
        value: int | None = self._as(wasm.ValType.I32)
        return value

    def as_i64(self) -> int | None:
        """Return the value if it is an i64, else None."""
        value: int | None = self._as(wasm.ValType.I64)
        return value

    def as_f32(self) -> float | None:
        """Return the value if it is an f32, else None."""
        value: float | None = self._as(wasm.ValType.F32)
        return value

    def as_f64(self) -> float | None:
        """Return the value if it is an f64, else None."""
        value: float | None = self._as(wasm.ValType.F64)
        return value

    def as_externref(self) -> Any | None:
        """Return the object if it is an externref, else None."""
        return self._as(wasm.ValType.EXTERNREF)

    def as_funcref(self) -> Func | None:
        """Return the function if it is a funcref, else None; None for a null, too."""
        value: Func | None = self._as(wasm.ValType.FUNCREF)
        return value
