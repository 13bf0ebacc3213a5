"""The names that generated code may use: those in `EXPORTED`, and no builtins.

The functions here compute what takes more than an expression. They take and return raw values; see
`runtime.values`. Each docstring names the operation of section 4.3, numerics. `backtraces` turns
what they raise into a trap of the instruction that called them.
"""

from __future__ import annotations

import math
from struct import Struct

from purewasm_plugins.errors import Trap, TrapReason
from purewasm_plugins.runtime.limits import Spend
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits, f64_from_bits, f64_to_bits
from purewasm_plugins.support.typed import Any, Callable, MutableSequence, NoReturn, Sequence

__all__ = ["EXPORTED", "namespace"]

_U32 = 0xFFFFFFFF
_U64 = 0xFFFFFFFFFFFFFFFF
_QUIET = 1 << 51

_F32 = Struct("<f")
load_f32 = _F32.unpack_from
store_f32 = _F32.pack_into
_load_u32 = Struct("<I").unpack_from
_store_u32 = Struct("<I").pack_into


def unreachable() -> NoReturn:
    """Execute `unreachable`."""
    raise Trap(TrapReason.UNREACHABLE)


# Integers (section 4.3.2)


def div_s32(a: int, b: int) -> int:
    """Compute `idiv_s` of 32 bits."""
    return _divide_signed(a, b, 0x80000000, _U32)


def div_s64(a: int, b: int) -> int:
    """Compute `idiv_s` of 64 bits."""
    return _divide_signed(a, b, 0x8000000000000000, _U64)


def _divide_signed(a: int, b: int, sign: int, mask: int) -> int:
    if a < sign:
        if b < sign:
            return a // b
        return -(a // (mask + 1 - b)) & mask
    if b < sign:
        return -((mask + 1 - a) // b) & mask
    if a == sign and b == mask:
        raise Trap(TrapReason.INTEGER_OVERFLOW)
    return (mask + 1 - a) // (mask + 1 - b)


def rem_s32(a: int, b: int) -> int:
    """Compute `irem_s` of 32 bits."""
    return _remainder_signed(a, b, 0x80000000, _U32)


def rem_s64(a: int, b: int) -> int:
    """Compute `irem_s` of 64 bits."""
    return _remainder_signed(a, b, 0x8000000000000000, _U64)


def _remainder_signed(a: int, b: int, sign: int, mask: int) -> int:
    """Divide, and return the remainder, which has the sign of the dividend."""
    if b >= sign:
        b = mask + 1 - b
    if a < sign:
        return a % b
    return -((mask + 1 - a) % b) & mask


def rotl32(a: int, count: int) -> int:
    """Compute `irotl` of 32 bits."""
    return a * 0x100000001 >> (-count & 31) & _U32


def rotr32(a: int, count: int) -> int:
    """Compute `irotr` of 32 bits."""
    return a * 0x100000001 >> (count & 31) & _U32


def rotl64(a: int, count: int) -> int:
    """Compute `irotl` of 64 bits."""
    return a * 0x10000000000000001 >> (-count & 63) & _U64


def rotr64(a: int, count: int) -> int:
    """Compute `irotr` of 64 bits."""
    return a * 0x10000000000000001 >> (count & 63) & _U64


def clz32(a: int) -> int:
    """Compute `iclz` of 32 bits."""
    return 32 - a.bit_length()


def clz64(a: int) -> int:
    """Compute `iclz` of 64 bits."""
    return 64 - a.bit_length()


def ctz32(a: int) -> int:
    """Compute `ictz` of 32 bits."""
    return (a & -a).bit_length() - 1 if a else 32


def ctz64(a: int) -> int:
    """Compute `ictz` of 64 bits."""
    return (a & -a).bit_length() - 1 if a else 64


popcnt: Callable[[int], int] = int.bit_count


# Floats (section 4.3.3). Arithmetic on a NaN gives a quiet NaN.


def divide_by_zero(a: float, b: float) -> float:
    """Compute `fdiv` by a zero."""
    if a != a:
        return a * 1.0
    if b != b:
        return b * 1.0
    if a == 0.0:
        return math.nan
    return math.copysign(math.inf, math.copysign(1.0, a) * math.copysign(1.0, b))


def float_min(a: float, b: float) -> float:
    """Compute `fmin` where `a` is not less than `b`."""
    if b < a:
        return b
    if a != a:
        return a * 1.0
    if b != b:
        return b * 1.0
    return a if math.copysign(1.0, a) < 0 else b


def float_max(a: float, b: float) -> float:
    """Compute `fmax` where `a` is not greater than `b`."""
    if b > a:
        return b
    if a != a:
        return a * 1.0
    if b != b:
        return b * 1.0
    return b if math.copysign(1.0, a) < 0 else a


def sqrt_of_negative(a: float) -> float:
    """Compute `fsqrt` of a number below zero, or of a NaN."""
    return a * 1.0 if a != a else math.nan


#: Floats this large are integers.
_WHOLE = 4503599627370496.0


def float_ceil(a: float) -> float:
    """Compute `fceil`."""
    if -_WHOLE < a < _WHOLE:
        return math.copysign(float(math.ceil(a)), a)
    return a * 1.0


def float_floor(a: float) -> float:
    """Compute `ffloor`."""
    if -_WHOLE < a < _WHOLE:
        return math.copysign(float(math.floor(a)), a)
    return a * 1.0


def float_trunc(a: float) -> float:
    """Compute `ftrunc`."""
    if -_WHOLE < a < _WHOLE:
        return math.copysign(float(int(a)), a)
    return a * 1.0


def float_nearest(a: float) -> float:
    """Compute `fnearest`: ties go to the even integer, as with Python's `round`."""
    if -_WHOLE < a < _WHOLE:
        return math.copysign(float(round(a)), a)
    return a * 1.0


def f32_from_integer(value: int) -> float:
    """Compute `convert` to f32, rounded once: an f64 in between would round it twice."""
    if -0x20000000000000 <= value <= 0x20000000000000:
        wide = float(value)
    else:
        # Of the last bits, only whether one of them is set matters.
        sticky = 1 if value & 0x7FF else 0
        wide = float((value >> 11 | sticky) << 11)
    return float(_F32.unpack(_F32.pack(wide))[0])


def not_an_integer(a: float) -> NoReturn:
    """Refuse `trunc` of a float out of range."""
    if a != a:
        raise Trap(TrapReason.INVALID_CONVERSION_TO_INTEGER)
    raise Trap(TrapReason.INTEGER_OVERFLOW)


def truncate_s32(a: float) -> int:
    """Compute `trunc_sat_s` to 32 bits."""
    return _truncate(a, -0x80000000, 0x7FFFFFFF) & _U32


def truncate_u32(a: float) -> int:
    """Compute `trunc_sat_u` to 32 bits."""
    return _truncate(a, 0, _U32)


def truncate_s64(a: float) -> int:
    """Compute `trunc_sat_s` to 64 bits."""
    return _truncate(a, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF) & _U64


def truncate_u64(a: float) -> int:
    """Compute `trunc_sat_u` to 64 bits."""
    return _truncate(a, 0, _U64)


def _truncate(a: float, low: int, high: int) -> int:
    if a != a:
        return 0
    if a <= low:
        return low
    return high if a >= high else int(a)


# Memory (section 4.4.7). A NaN needs functions of its own: `struct` would make it quiet.


def load_f32_nan(memory: bytearray, address: int) -> float:
    """Execute `f32.load` of a NaN."""
    return f32_from_bits(_load_u32(memory, address)[0])


def store_f32_nan(memory: bytearray, address: int, value: float) -> None:
    """Execute `f32.store` of a NaN."""
    _store_u32(memory, address, f32_to_bits(value))


def memory_grow(memory: Memory, pages: int, spend: Spend | None = None) -> int:
    """Execute `memory.grow`."""
    return memory.try_grow(pages, spend) & _U32


def table_grow(table: Table, value: Any, count: int, spend: Spend | None = None) -> int:
    """Execute `table.grow`."""
    return table.try_grow(count, value, spend) & _U32


def drop_segment(segments: list[Any], index: int) -> None:
    """Execute `data.drop` or `elem.drop`."""
    segments[index] = segments[index][:0]


def _unpacker(code: str) -> Callable[..., Sequence[Any]]:
    return Struct(code).unpack_from


def _packer(code: str) -> Callable[..., None]:
    return Struct(code).pack_into


#: The names that generated code may use, and their meanings. `linking` adds those of an instance's
#: functions, globals, memories and tables.
EXPORTED: dict[str, Any] = {
    "abs": abs,
    "float": float,
    "int": int,
    "len": len,
    "sqrt": math.sqrt,
    "copysign": math.copysign,
    "load_u16": _unpacker("<H"),
    "load_s16": _unpacker("<h"),
    "load_u32": _unpacker("<I"),
    "load_s32": _unpacker("<i"),
    "load_u64": _unpacker("<Q"),
    "load_f32": load_f32,
    "load_f64": _unpacker("<d"),
    **{f"load_b{size}": _unpacker(f"{size}s") for size in (1, 2, 4, 8, 16)},
    "store_u16": _packer("<H"),
    "store_u32": _packer("<I"),
    "store_u64": _packer("<Q"),
    "store_f32": store_f32,
    "store_f64": _packer("<d"),
    **{f"store_b{size}": _packer(f"{size}s") for size in (1, 2, 4, 8, 16)},
    **{
        function.__name__: function
        for function in (
            unreachable,
            div_s32,
            div_s64,
            rem_s32,
            rem_s64,
            rotl32,
            rotl64,
            rotr32,
            rotr64,
            clz32,
            clz64,
            ctz32,
            ctz64,
            divide_by_zero,
            float_min,
            float_max,
            sqrt_of_negative,
            float_ceil,
            float_floor,
            float_trunc,
            float_nearest,
            f32_from_integer,
            not_an_integer,
            truncate_s32,
            truncate_u32,
            truncate_s64,
            truncate_u64,
            load_f32_nan,
            store_f32_nan,
            memory_grow,
            table_grow,
            drop_segment,
            f32_from_bits,
            f32_to_bits,
            f64_from_bits,
            f64_to_bits,
        )
    },
    "popcnt": popcnt,
    "memory_fill": Memory.fill,
    "memory_copy": Memory.copy,
    "memory_init": Memory.init,
    "memory_pages": Memory.pages.fget,  # type: ignore[attr-defined]
    "table_fill": Table.fill,
    "table_copy": Table.copy,
    "table_init": Table.init,
}


def namespace() -> dict[str, Any]:
    """Make a namespace for the functions of one instance.

    `linking` adds `rounded` where a function uses it; see `array_of_f32`.
    """
    return {"__builtins__": {}, **EXPORTED}


def array_of_f32() -> MutableSequence[float]:
    """Make an array of one f32: a float that is put there is rounded as a cast in C does it."""
    # Imported here, as it imports `collections`, and few plugins use f32.
    from array import array

    return array("f", (0.0,))
